// Command xorm shows Larder under xorm, which is given a cached handle in place of the one that it opens.
//
//	go run -C examples ./xorm
package main

import (
	"xorm.io/xorm"
	"xorm.io/xorm/core"
	"xorm.io/xorm/dialects"
	"xorm.io/xorm/names"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

type stuff struct {
	Id     int64
	UserId int64
	Name   string
}

func (stuff) TableName() string { return "stuff" }

func main() {
	path, remove := shelf.File()
	defer remove()

	pool, err := larder.Open("sqlite", path, nil)
	shelf.Must(err)
	dialect, err := dialects.OpenDialect("sqlite", path)
	shelf.Must(err)
	engine, err := xorm.NewEngineWithDialectAndDB("sqlite", path, dialect, core.FromDB(pool)) // was: xorm.NewEngine("sqlite", path)
	shelf.Must(err)
	defer engine.Close()
	engine.SetMapper(names.GonicMapper{})
	cache, _ := larder.Of(pool)
	tell := shelf.Tell(cache)

	tell.Read("stuff of 42", stuffOf(engine, 42))
	tell.Read("stuff of 42", stuffOf(engine, 42))
	tell.Read("stuff of 7", stuffOf(engine, 7))

	_, err = engine.ID(1).Update(&stuff{Name: "red lamp"})
	shelf.Must(err)
	tell.Wrote("the lamp is red now")
	tell.Read("stuff of 42", stuffOf(engine, 42))
	tell.Read("stuff of 7", stuffOf(engine, 7))
}

func stuffOf(engine *xorm.Engine, user int64) (list []stuff) {
	shelf.Must(engine.Where("user_id = ?", user).Asc("id").Find(&list))
	return list
}
