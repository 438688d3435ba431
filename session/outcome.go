package session

import (
	"database/sql/driver"
	"errors"
	"reflect"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// answered reports whether err is the database's own answer, so that it is known
// that the statement or the COMMIT had no effect that isn't covered by a release.
// Anything else (a lost connection, a cancelled context) leaves the outcome of a
// write unknown: the database may commit it yet.
//
// By contract a driver returns ErrBadConn only for what was not sent. Those of PostgreSQL don't
// keep that: they return it as well when the connection is closed without an answer.
func answered(d analyze.Dialect, conn driver.Conn, err error) bool {
	if brokenContract(conn) && errors.Is(err, driver.ErrBadConn) {
		return false
	}
	if err == nil || errors.Is(err, driver.ErrBadConn) || errors.Is(err, driver.ErrSkip) {
		return true
	}
	if d == analyze.SQLite {
		return true // the engine is in this process: when it returns, it has ended
	}
	if state, ok := sqlState(err); ok {
		return !strings.HasPrefix(state, "08") && !strings.HasPrefix(state, "57P") && state != "40003"
	}
	if number, ok := mysqlNumber(err); ok {
		return !mysqlLost[number]
	}
	return false
}

// saidNo reports whether an error is the database's own, so that what it is about wasn't done. Another one (of a driver that couldn't read the
// answer, or of what wraps the driver) may come after it was done, though the connection is good.
func saidNo(d analyze.Dialect, err error) bool {
	_, state := sqlState(err)
	_, number := mysqlNumber(err)
	return state || number || d == analyze.SQLite
}

func brokenContract(conn driver.Conn) bool {
	t := reflect.TypeOf(conn)
	if t == nil || t.Kind() != reflect.Pointer {
		return false
	}
	path := t.Elem().PkgPath()
	return path == "github.com/lib/pq" || strings.HasPrefix(path, "github.com/jackc/pgx/")
}

// mysqlLost are the server's errors after which its connection is gone.
var mysqlLost = map[uint64]bool{1053: true, 1077: true, 1080: true, 1152: true, 1158: true, 1159: true, 1160: true, 1161: true, 1184: true, 1317: false, 1927: true, 2006: true, 2013: true}

// sqlState returns the SQLSTATE that PostgreSQL's drivers give with an error of the server.
func sqlState(err error) (string, bool) {
	var withState interface{ SQLState() string }
	if !errors.As(err, &withState) {
		return "", false
	}
	state := withState.SQLState()
	return state, len(state) == 5
}

// mysqlNumber returns the number of a MySQL server's error. The driver's type is told
// by its shape, so that this package imports no driver.
func mysqlNumber(err error) (uint64, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.ValueOf(err)
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || v.Type().Name() != "MySQLError" {
			continue
		}
		if number := v.FieldByName("Number"); number.IsValid() && number.CanUint() {
			return number.Uint(), true
		}
	}
	return 0, false
}

// unknownObject reports whether the database said that it doesn't know an object
// that the statement names: the catalog as we know it may be old.
func unknownObject(d analyze.Dialect, err error) bool {
	if err == nil {
		return false
	}
	if state, ok := sqlState(err); ok {
		return strings.HasPrefix(state, "42P0") || state == "42703" || state == "42883" || state == "3F000" || state == "42704"
	}
	if number, ok := mysqlNumber(err); ok {
		return number == 1146 || number == 1054 || number == 1049 || number == 1051 || number == 1305
	}
	if d == analyze.SQLite {
		text := err.Error()
		return strings.Contains(text, "no such ") || strings.Contains(text, "has no column") || strings.Contains(text, "already exists")
	}
	return false
}

// notUnderstood reports whether a MySQL server refused a text before it ran any of
// it. Of several statements it runs those before the one that it doesn't understand.
func notUnderstood(text string, err error) bool {
	number, ok := mysqlNumber(err)
	return ok && number == 1064 && !strings.Contains(text, ";")
}
