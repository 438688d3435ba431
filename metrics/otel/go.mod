module github.com/larderdb/larder/metrics/otel

go 1.26.0

require github.com/larderdb/larder v0.0.0

replace github.com/larderdb/larder => ../..
