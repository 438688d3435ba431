import directors;

# BACKENDS
sub vcl_init {
    new all = directors.round_robin();
# ADDED
}

sub vcl_recv {
    if (req.url == "/dbtest-ping") { # before there are backends
        return (synth(200));
    }
    set req.backend_hint = all.backend();
}
