module github.com/larderdb/larder

go 1.26.0

require github.com/multigres/multigres v0.1.0 // indirect
