vcl 4.1;

# Varnish in front of a program with page.Handler whose Options.Edge is page.NewEdge(page.Varnish(...), &page.EdgeOptions{MaxAge: ...}).

import std;

backend default {
    .host = "127.0.0.1";
    .port = "8080";
}

acl purgers {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "BAN") {
        if (client.ip !~ purgers) {
            return (synth(403, "Not for you"));
        }
        if (std.ban("obj.http.Surrogate-Key ~ " + req.http.Surrogate-Key-Ban)) {
            return (synth(200, "Banned"));
        }
        return (synth(400, std.ban_error()));
    }
}

sub vcl_backend_fetch {
    set bereq.http.Larder-Asked = std.time2real(now, 0.0);
}

sub vcl_backend_response {
    # How long Varnish keeps a page is told by Surrogate-Control, less its age, and browsers by Cache-Control.
    if (beresp.http.Surrogate-Control ~ "max-age=[0-9]+") {
        set beresp.ttl = std.duration(regsub(beresp.http.Surrogate-Control, "^.*max-age=([0-9]+).*$", "\1") + "s", 0s) - beresp.age;
        set beresp.grace = 0s; # nothing is served that was banned, or is too old
    }
    # A page that was on its way while it was purged is purged by the repetition (EdgeOptions.Again), which must come later than this.
    if (now - std.real2time(std.real(bereq.http.Larder-Asked, 0.0), now) > 1s) {
        set beresp.uncacheable = true;
        set beresp.ttl = 1s;
    }
}

sub vcl_deliver {
    unset resp.http.Surrogate-Key;
    unset resp.http.Surrogate-Control;
    unset resp.http.CDN-Cache-Control;
}
