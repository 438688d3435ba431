package demo

import "fmt"

var firstNames = [...]string{
	"Ada", "Amir", "Astrid", "Bruno", "Chidi", "Chloé", "Dara", "Diego", "Elif", "Emeka", "Fatou",
	"Freya", "Giulia", "Hana", "Ines", "Ivo", "Jonas", "Kaveh", "Keiko", "Lars", "Leila", "Mateo",
	"Mei", "Nadia", "Noah", "Olga", "Priya", "Rafael", "Sanne", "Søren", "Tomás", "Zoë",
}

var lastNames = [...]string{
	"Abe", "Almeida", "Andersen", "Bauer", "Castillo", "Cohen", "Dubois", "Eriksen", "Fischer", "García",
	"Haddad", "Ito", "Janssen", "Kaya", "Kowalski", "Lindqvist", "Moreau", "Mwangi", "Nguyen", "Novák",
	"O’Brien", "Okafor", "Patel", "Petrov", "Rossi", "Sato", "Silva", "Singh", "Tanaka", "Virtanen", "Weiss", "Yılmaz",
}

var qualities = [...]string{
	"Small", "Large", "Round", "Blue", "Red", "Green", "Oak", "Brass", "Copper", "Linen", "Wool", "Glass",
	"Enamel", "Folding", "Striped", "Plain", "Old", "Second-best", "Spare", "Heavy", "Tin", "Wicker", "Clay", "Cork",
}

var nouns = [...]string{
	"kettle", "jar of plums", "tea towel", "bread board", "lantern", "mixing bowl", "ladle", "pepper mill",
	"cake tin", "bottle rack", "apron", "sieve", "rolling pin", "egg timer", "butter dish", "colander",
	"basket", "honey spoon", "oil can", "coffee mill", "pie dish", "salt cellar", "stool", "candlestick",
	"cheese knife", "flour bin", "whisk", "preserving pan", "trivet", "garlic press", "jug", "stoneware crock",
}

// personName returns the name of the nth user. The first thousand differ.
func personName(n int) string {
	first, last := n%len(firstNames), (n/len(firstNames)+n*7)%len(lastNames)
	return firstNames[first] + " " + lastNames[last]
}

// thingName returns a name for a thing, the same for the same number.
func thingName(n uint64) string {
	quality, noun := n%uint64(len(qualities)), n/uint64(len(qualities))%uint64(len(nouns))
	return fmt.Sprintf("%s %s", qualities[quality], nouns[noun])
}
