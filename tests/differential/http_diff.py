#!/usr/bin/env python3
"""The query API of a Prometheus and of watchfire, request by request: status, content type and the bytes of the JSON.

    cargo build --release
    tests/differential/http_diff.py --prometheus /tmp/peers/bin/prometheus --watchfire target/release/watchfire

Starts both, sends both the same samples and about 1,900 requests: instant and range queries, series, labels, values, metadata, exemplars,
format_query, parse_query; by GET and POST; times as numbers and as RFC 3339; limits, lookback_delta, timeout and stats; 11,000 points;
and what is wrong in each. An answer is the same if its bytes are, or if what differs is named in KNOWN below: newer behaviour of upstream, or
a difference of the compatibility ledger. Prints each answer that differs and a tally; exit code 1 if there is any."""
import argparse
import json
import math
import re
import sys
import time
import urllib.parse
from collections import Counter
from datetime import datetime, timedelta, timezone

from servers import STALE, Pair


def data(end):
    """Two hours of everything that has its own way into JSON."""
    out = []
    start = end - 7200

    def add(labels, value, step=15, begin=start, finish=end):
        out.append((labels, [(t * 1000, value(i)) for i, t in enumerate(range(begin, finish + 1, step))]))

    for n in range(4):
        labels = {"job": "api" if n < 2 else "db", "instance": f"host-{n}:9090"}
        add({"__name__": "up", **labels}, lambda i, n=n: float((i + n) % 9 != 0))
        for code in ("200", "404", "500"):
            add({"__name__": "http_requests_total", "code": code, **labels}, lambda i, n=n: float((i % 300) * (n + 1)))
        add({"__name__": "temperature_celsius", **labels}, lambda i, n=n: math.sin(i / 7 + n) * 1e3)
        for le, share in (("0.1", 1), ("1", 3), ("+Inf", 4)):
            add({"__name__": "latency_seconds_bucket", "le": le, **labels}, lambda i, share=share: float(i * share))
    odd = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e21, 1e-7, 123456789.125, 1614705772236064.25, -1.5]
    add({"__name__": "odd_values"}, lambda i: odd[i % len(odd)])
    add({"__name__": "gone"}, lambda i: STALE if i == 100 else 1.0, finish=start + 1500)
    add({"__name__": "texts", "quote": "a\"b\\c\nd", "unicode": "ü☃😀", "html": "<a href='x'>&</a>", "control": "\x01\x7f"}, lambda i: 1.0)
    add({"__name__": "utf.8 name", "label with spaces": "x"}, lambda i: float(i))
    add({"__name__": "native_seconds", "job": "api"}, lambda i: ("native", 1, {k: (k + 5) * (i + 1) for k in range(-4, 5, 2)}, i, 3.5 * i))
    return out


EXPRESSIONS = [
    "1", "-1.5e-7", "NaN", "Inf", "0x1f", "1_000", '"text \\" \\u00fc"', "time()", "pi()", "vector(1)", "up", "up{job=\"api\"}", "up == 1", "up[1m]",
    "odd_values", "odd_values[3m]", "sum(up)", "sum by (job) (rate(http_requests_total[5m]))", "topk(2, temperature_celsius)", "sort_desc(temperature_celsius)",
    "histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[5m])))", "histogram_quantile(1.5, latency_seconds_bucket)", "native_seconds",
    "rate(native_seconds[5m])", "histogram_quantile(0.5, native_seconds)", "native_seconds[1m]", "texts", "{\"utf.8 name\"}", "{\"utf.8 name\", \"label with spaces\"=\"x\"}",
    "up offset 1h", "up @ start()", "up @ end()", "avg_over_time((up > 0)[10m:1m])", "http_requests_total / on (job, instance) group_left up",
    "http_requests_total * up", "absent(nothing)", "absent(nothing{a=\"b\"})", "nothing", "gone", "label_replace(up, \"a\", \"$1\", \"job\", \"(.*)\")", "count_values(\"v\", up)",
    "rate(temperature_celsius[5m])", "temperature_celsius + native_seconds", "quantile(2, up)", "limitk(1, up)", "scalar(up)", "-up", "up and on () vector(1)", "up or nothing",
    "group by (__name__) ({__name__=~\"up|gone|texts\"})", "mad_over_time(temperature_celsius[5m])", "http_requests_total{code=~\"4..|5..\"}", "sum(native_seconds) - 1", "clamp(odd_values, -1, 1)",
    "deriv(http_requests_total[5m])", "predict_linear(temperature_celsius[5m], 60)", "changes(up[1h])", "resets(http_requests_total[2h])", "day_of_week()", "1 > bool 2", "2 ^ 3 ^ 2 % 5 - -4",
]
WRONG = [
    "", "up{", "up[", "up[5m", "sum(", "rate(up)", "sum(up[5m])", "up{a=~\"(\"}", "1 +", "foo bar", "up offset", "up @ x", "nosuch(up)", "abs()", "abs(up, up)", "up[5m:", "{}", "{a=\"\"}", "up{a=b}",
    "up == up[5m]", "\"a\" + 1", "up and 1", "topk(up)", "label_replace(up, \"~\", \"\", \"a\", \"(\")", "up[0s]", "up[5m] offset", "\"unterminated", "'\\x'", "1 == 2", "sum by job (up)", "up on (a) up",
    "up * on (job) up", "up * on (job) group_left () up", "quantile_over_time(up)", "up unless bool up", "@ 5", "up @ 1 @ 2", "))", "up # comment", "#", "foo{bar='a',bar='b'}", "sum(up) by (a) by (b)", "up{__name__=\"a\"}",
    "round(up, 1, 2)", "count_values(\"\\xff\", up)", "holt_winters(up[5m], 0.1, 0.1)", "up[1d:1s] @", "9e999", "up[9999y]", "é", "a:b:c", "up{a!b}", "rate(sum(up)[5m])", "-\"a\"", "info(up)",
]


def requests(end):
    """(method, path, parameters, headers)"""
    out = []

    def both(path, **params):
        out.append(("GET", path, params, {}))
        out.append(("POST", path, params, {}))

    def one(path, method="GET", headers=None, **params):
        out.append((method, path, params, headers or {}))

    rfc = lambda t, zone=timezone.utc: datetime.fromtimestamp(t, zone).isoformat().replace("+00:00", "Z")
    east = timezone(timedelta(hours=5, minutes=30))
    q, r = "/api/v1/query", "/api/v1/query_range"
    for e in EXPRESSIONS:
        both(q, query=e, time=end)
        one(q, query=e, time=f"{end - 3600}.123")
        both(r, query=e, start=end - 600, end=end, step=60)
        one(r, query=e, start=f"{end - 700}.25", end=rfc(end), step="1m30s")
        one("/api/v1/format_query", query=e)
        one("/api/v1/parse_query", query=e)
    for e in WRONG:
        both(q, query=e, time=end)
        one(r, query=e, start=end - 600, end=end, step=60)
        one("/api/v1/format_query", query=e)
        one("/api/v1/parse_query", query=e)
    times = [end, f"{end}.5", f"{end - 1}.9999", f"{end - 1}.99949", "1e9", "0", "-1", "-62135596800", "1.5e3", rfc(end), rfc(end, east), rfc(end)[:-1] + ".123456789Z", rfc(end).lower(), rfc(end).replace("T", " "), rfc(end)[:-1],
             "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01", "NaN", "Inf", "-Inf", "+5", "0x10", "1_0", "x", " 1", "1 ", "9223372036854775807", "9223372036854775808", "9223372036854776", "1e300", "-1e300",
             "292277025-08-18T07:12:54.999999999Z", "-292273086-05-16T16:47:06Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00,5Z"]
    for t in times:
        both(q, query="time()", time=t)
        one(q, query="up", time=t)
        one(r, query="vector(1)", start=t, end=t, step=15)
        one(r, query="vector(1)", start=t, end=end, step="1y")
        one("/api/v1/series", **{"match[]": "up", "start": t})
        one("/api/v1/labels", end=t)
        one("/api/v1/label/job/values", start=t, end=t)
    for step in ("1", "0.5", "1.5", "1m", "1m30s", "90", "0", "-1", "0s", "-1m", "x", "", "NaN", "Inf", "1e3", "1e-4", "0.001", "0.0001", "9999y", "1e300", "1h1h", "1s1m", "5 ", "１"):
        both(r, query="vector(time())", start=end - 600, end=end, step=step)
    for points, step in ((10_999, 1), (11_000, 1), (11_001, 1), (11_000, 0.5), (11_001, 0.5), (12_000, 7)):
        begin = end - points * step
        one(r, query="vector(1) == 2", start=begin, end=end, step=step)
        one(r, query="1", start=begin - step, end=end, step=step)
    one(r, query="1", start=end, end=end - 1, step=1)
    one(r, query="1", start=0, end=253402300799, step="1y")
    for missing in ("query", "start", "end", "step"):
        params = {"query": "up", "start": end - 60, "end": end, "step": 15}
        del params[missing]
        both(r, **params)
    for name, values in {
        "timeout": ("1s", "2m", "0", "-1s", "x", "1", "1.5", "", "10000y", "1ms"),
        "lookback_delta": ("1s", "15s", "1m", "5m", "1h", "10", "0", "0s", "-1m", "x", "", "1.5"),
        "limit": ("0", "1", "2", "1000", "-1", "x", "", "1.5", "99999999999999999999", "+1", " 1"),
        "stats": ("true", "all", "false", "1", "x", ""),
    }.items():
        for v in values:
            both(q, query="up", time=end, **{name: v})
            one(q, query="up[5m]", time=end, **{name: v})
            one(q, query="1", time=end, **{name: v})
            one(q, query='"s"', time=end, **{name: v})
            both(r, query="up", start=end - 300, end=end, step=60, **{name: v})
            if name == "limit":
                both("/api/v1/series", **{"match[]": '{job="api"}', "limit": v})
                both("/api/v1/labels", limit=v)
                one("/api/v1/label/__name__/values", limit=v)
                one("/api/v1/metadata", limit=v)
    matches = [["up"], ["up", "texts"], ['{job="api"}'], ['{job=~".*"}'], ['{job=""}'], ["{}"], [""], ["up{"], ["sum(up)"], ["up[5m]"], ['{__name__=~".+"}'], ['{"utf.8 name"}'], ['up{job!="api",instance=~".*-[13]:.*"}'], ["up offset 5m"], ["up", "up{"], ["1"], ['"a"'],
               ["nothing"], ["up", "up"], ['{__name__="up",__name__!="x"}'], ['{a=~"("}'], ["up @ 5"], ["gone"], ["{job=\"api\",}"], ["{__name__=~\"\"}"]]
    for m in matches:
        both("/api/v1/series", **{"match[]": m})
        one("/api/v1/series", **{"match[]": m, "start": end - 60, "end": end})
        both("/api/v1/labels", **{"match[]": m})
        one("/api/v1/label/job/values", **{"match[]": m})
        one("/api/v1/label/__name__/values", **{"match[]": m, "start": end - 7200, "end": end})
        one("/api/v1/query_exemplars", query=m[0], start=end - 60, end=end)
    both("/api/v1/series")
    for label in ("job", "instance", "le", "nothing", "__name__", "label%20with%20spaces", "U__label_20_with_20_spaces", "U__job", "a-b", "1a", "%FF", "%C3%BC", "U__", "U___", "U__%22", "", "a/b", "quote", "unicode", "%00", "U__utf_2e_8", "U___d800_"):
        one(f"/api/v1/label/{label}/values")
        one(f"/api/v1/label/{label}/values", method="POST")
    for path in ("/api/v1/query", "/api/v1/query_range", "/api/v1/series", "/api/v1/labels", "/api/v1/format_query", "/api/v1/parse_query", "/api/v1/query_exemplars", "/api/v1/metadata", "/api/v1/nothing", "/api/v1/", "/api/v1", "/api/v2/nothing", "/api/v1/query/", "/api/v1/label//values", "/api/v1/targets/metadata"):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
            one(path, method=method)
    json_type, form = {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}
    for headers, body in ((json_type, '{"query":"up"}'), (form, "query=up%"), (form, "query=%zz"), (form, "query=1;time=5"), (form, "query=1&query=2"), (form, "a=b&query=3&=x&query"), ({"Content-Type": "text/plain"}, "query=1"), ({}, "query=1"),
                          ({"Content-Type": "multipart/form-data; boundary=x"}, "--x\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n4\r\n--x--\r\n"), ({"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}, "query=5"), ({"Content-Type": ";"}, "query=1")):
        for path in (f"{q}?time={end}", f"{q}?query=7&time={end}", f"{q}?time={end}&query=%41%"):
            out.append(("POST", path, body, headers))
    for raw in ("query=1&time=5&time=6", "query=a%2Bb", "query=a+b", "query=%", "query=%zz", "query=1;x=2", "QUERY=1", "&&query=1&&", "query=%00", "query=%ff", "query=up%7B%7D", "query[]=1", "query=1&limit=1&limit=x", "=&query=1"):
        out.append(("GET", f"{q}?{raw}" + ("" if "time=" in raw else f"&time={end}"), None, {}))
    one("/api/v1/query_exemplars", query="up")
    one("/api/v1/query_exemplars", query="up", start=end, end=end - 5)
    one("/api/v1/query_exemplars", query="1 +", start=end - 5, end=end)
    for metric in ("up", "", "x"):
        one("/api/v1/metadata", metric=metric)
        one("/api/v1/targets/metadata", metric=metric)
        one("/api/v1/metadata", metric=metric, limit_per_metric="1")
    for v in ("x", "-1", "0"):
        one("/api/v1/metadata", limit_per_metric=v)
    return out


def send(server, request):
    method, path, params, headers = request
    body = params if isinstance(params, str) else None
    if isinstance(params, dict):
        text = urllib.parse.urlencode(params, True)
        if method == "POST":
            body, headers = text, {"Content-Type": "application/x-www-form-urlencoded", **headers}
        elif text:
            path += "?" + text
    status, kind, answer = server.request(method, path, body, headers)
    return status, kind, answer


# ---- what may differ

def without_timings(a, b, request):
    """Timings are never the same, and peakSamples tells how an evaluator goes about it."""
    changed = False
    for j in (a, b):
        stats = j.get("data", {}).get("stats") if isinstance(j.get("data"), dict) else None
        if stats:
            stats.pop("timings", None)
            stats.get("samples", {}).pop("peakSamples", None)
            changed = True
    return changed and a == b


def newer_texts(a, b, request):
    """The same error or notes; texts are those of 3.14."""
    for j in (a, b):
        j.pop("error", None)
        for kind in ("warnings", "infos"):
            if kind in j:
                j[kind] = len(j[kind])
    return a == b and ("errorType" in a or "warnings" in a or "infos" in a)


def sort_warns(a, b, request):
    notes = b.get("warnings") or []
    b["warnings"] = [n for n in notes if "sort is ineffective for range queries" not in n]
    return len(b["warnings"]) < len(notes) and a == {k: v for k, v in b.items() if v != []}


def parameters(request):
    """All parameters as one text."""
    return request[1] + " " + (request[2] if isinstance(request[2], str) else json.dumps(request[2] or {}))


FAR = ("NaN", "Inf", "-Inf", "1e300", "-1e300", "9223372036854775807", "9223372036854775808", "9223372036854776", "-62135596800", "292277025-08-18", "-292273086-05-16", "0000-01-01", "9999-12-31", "253402300799")


def far_times(a, b, request):
    """Before 1678 and after 2262 Prometheus's times wrap around; what is no number it takes for one of these."""
    return any(f'"{far}' in parameters(request) or f": {far}" in parameters(request) for far in FAR)


def some_of_many(a, b, request):
    """Which values a limit keeps depends on the order of a Go map."""
    return re.search(r"label/.*/values", request[1]) and isinstance(request[2], dict) and "limit" in request[2] and a.get("warnings") == b.get("warnings") and len(a["data"]) == len(b["data"])


def no_time(a, b, request):
    """A query whose time is over before it begins; Prometheus wavers between two errors."""
    return '"timeout": "0' in parameters(request) or '"timeout": "-' in parameters(request)


def multipart(a, b, request):
    return "multipart" in request[3].get("Content-Type", "")


def other_paths(a, b, request):
    """Paths that are not clean are redirected by Prometheus and unknown here; /api/v2 is Alertmanager's."""
    path = request[1].split("?")[0]
    return "//" in path or path.endswith("/") or path == "/api/v1" or path.startswith("/api/v2/")


# Differences that show in the status, too.
WHOLE = [
    ("times beyond 1678 to 2262", far_times),
    ("a time-out before the beginning", no_time),
    ("multipart forms are not read", multipart),
    ("paths that are not clean, and /api/v2", other_paths),
]

KNOWN = [
    ("which values a limit keeps", some_of_many),
    ("sort in a range query warns", sort_warns),
    ("timings and peakSamples of stats", without_timings),
    ("texts of errors and notes are those of 3.14", newer_texts),
]


def known(x, y, request):
    """The name of the known difference, or None."""
    for name, known_by in WHOLE:
        if known_by(x, y, request):
            return name
    if x[0] != y[0] or x[1] != y[1]:
        return None
    newer_fields = rb'"anchored":false,|"smoothed":false,|"fillValues":\{"lhs":null,"rhs":null\},'
    if "parse_query" in request[1] and re.sub(newer_fields, b"", y[2]).replace("\ufffd".encode(), b"\\ufffd") == x[2]:
        return "parse_query tells of anchored, smoothed and fill"
    for name, same in KNOWN:
        try:
            a, b = json.loads(x[2]), json.loads(y[2])
        except ValueError:
            return None
        if isinstance(a, dict) and isinstance(b, dict) and same(a, b, request):
            return name
    return None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--prometheus", required=True)
    ap.add_argument("--watchfire", required=True)
    ap.add_argument("--show", type=int, default=200, help="differing answers to print")
    ap.add_argument("--texts", action="store_true", help="print the error texts and notes that differ, too")
    a = ap.parse_args()
    end = int(time.time()) // 60 * 60
    with Pair(a.prometheus, a.watchfire) as pair:
        for server in (pair.theirs, pair.ours):
            server.write(data(end))
        tally, shown = Counter(), 0
        for request in requests(end):
            x, y = send(pair.theirs, request), send(pair.ours, request)
            name = "the same bytes" if x == y else known(x, y, request) or "DIFFERENT"
            if name == "DIFFERENT" and any(send(pair.theirs, request) != x for _ in range(8)):
                name = "Prometheus does not agree with itself"
            tally[name] += 1
            if name == "DIFFERENT" or (a.texts and "texts" in name):
                shown += 1
                if shown <= a.show:
                    print(f"{name}: {request[0]} {request[1]} {request[2]} {request[3]}\n   theirs {x[0]} {x[1]} {x[2][:400]!r}\n   ours   {y[0]} {y[1]} {y[2][:400]!r}")
    print(f"{sum(tally.values())} requests")
    for name, count in tally.most_common():
        print(f"{count:6} {name}")
    sys.exit(1 if tally["DIFFERENT"] else 0)


if __name__ == "__main__":
    main()
