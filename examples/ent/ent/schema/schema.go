// Package schema says what ent generates its code from.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// User has stuff.
type User struct{ ent.Schema }

// Fields implements ent.Interface.
func (User) Fields() []ent.Field { return []ent.Field{field.String("name")} }

// Edges implements ent.Interface.
func (User) Edges() []ent.Edge { return []ent.Edge{edge.To("stuff", Stuff.Type)} }

// Stuff is of a user.
type Stuff struct{ ent.Schema }

// Annotations implements ent.Interface.
func (Stuff) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "stuff"}}
}

// Fields implements ent.Interface.
func (Stuff) Fields() []ent.Field {
	return []ent.Field{field.Int("id"), field.Int("user_id"), field.String("name")}
}

// Edges implements ent.Interface.
func (Stuff) Edges() []ent.Edge {
	return []ent.Edge{edge.From("owner", User.Type).Ref("stuff").Field("user_id").Unique().Required()}
}
