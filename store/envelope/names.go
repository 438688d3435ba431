package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/larderdb/larder/store"
)

// names hides names. Nil hides nothing. The same name is always hidden by the same one, so that a store can
// compare them.
type names struct {
	key  []byte      // of the HMACs
	seal cipher.AEAD // of members, which must be opened again
}

func newNames(key []byte) *names {
	return &names{derive(key, "larder names"), aead(key, "larder members")}
}

// derive makes a key for one use of a key (RFC 5869).
func derive(key []byte, use string) []byte {
	derived, err := hkdf.Key(sha256.New, key, nil, use, KeySize)
	if err != nil { // only a length that is too large
		panic(err)
	}
	return derived
}

func aead(key []byte, use string) cipher.AEAD {
	block, err := aes.NewCipher(derive(key, use))
	if err != nil { // only another length
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil { // only another size of blocks
		panic(err)
	}
	return gcm
}

// mac is the HMAC of a name of one kind.
func (n *names) mac(kind, name string) []byte {
	h := hmac.New(sha256.New, n.key)
	h.Write([]byte(kind))
	h.Write([]byte(name))
	return h.Sum(nil)
}

// hidden is what stands for a name: 24 characters, of letters, digits, - and _.
func (n *names) hidden(kind, name string) string {
	return base64.RawURLEncoding.EncodeToString(n.mac(kind, name)[:18])
}

func (n *names) entry(key string) string {
	if n == nil || key == "" {
		return key
	}
	return n.hidden("entry ", key)
}

func (n *names) claim(key string) string {
	if n == nil {
		return key
	}
	return n.hidden("claim ", key)
}

func (n *names) plain(key string) string {
	if n == nil {
		return key
	}
	return n.hidden("plain ", key)
}

// tag hides a tag, but not whether tags are of one Group, nor whether one is Standing.
func (n *names) tag(t store.Tag) store.Tag {
	if n == nil {
		return t
	}
	group := t.Group()
	name := n.hidden("group ", group)
	switch rest := t[len(group):]; {
	case rest != "":
		name += string(rest[:1]) + n.hidden("tag ", string(t))
	case t.Standing():
		name += store.StandingSuffix
	}
	return store.Tag(name)
}

func (n *names) tags(tags []store.Tag) []store.Tag {
	if n == nil || tags == nil {
		return tags
	}
	hidden := make([]store.Tag, len(tags))
	for i, t := range tags {
		hidden[i] = n.tag(t)
	}
	return hidden
}

// member seals a member under a nonce that is told by it, so that equal ones are equal. What that shows
// is that they are.
func (n *names) member(m string) string {
	if n == nil {
		return m
	}
	nonce := n.mac("member ", m)[:n.seal.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(n.seal.Seal(nonce, nonce, []byte(m), nil))
}

// open opens members. It fails if one was sealed with another key.
func (n *names) open(members []string) ([]string, error) {
	if n == nil || members == nil {
		return members, nil
	}
	open := make([]string, len(members))
	for i, m := range members {
		sealed, err := base64.RawURLEncoding.DecodeString(m)
		size := n.seal.NonceSize()
		if err != nil || len(sealed) < size {
			return nil, errStranger
		}
		plain, err := n.seal.Open(nil, sealed[:size], sealed[size:], nil)
		if err != nil {
			return nil, errStranger
		}
		open[i] = string(plain)
	}
	return open, nil
}
