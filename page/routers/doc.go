// Package routers has the tests of pages with routers, which need modules that nothing else needs.
package routers
