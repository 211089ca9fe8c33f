#!/usr/bin/env python3
"""Random notification templates through a real amtool and through watchfire; outputs and errors must be the same.

    tests/differential/template_diff.py --amtool /tmp/peers/bin/amtool --watchfire target/debug/watchfire [--count 500] [--seed 1] [--type text|html]

A case is one template text. The grammar knows types loosely, so that most templates render and some fail.
Prints every difference and a tally; exit code 1 when anything differs."""
import argparse, json, os, random, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

DATA = {
    "receiver": "team-X", "status": "firing", "externalURL": "http://am.example.com:9093/x?a=b&c=<d>",
    "groupLabels": {"alertname": "Down", "zone": "eu-1"},
    "commonLabels": {"alertname": "Down", "job": "api", "sev": "a\"b<c>&'d"},
    "commonAnnotations": {"summary": "it's 5 > 3 & \"so\"", "uni": "äöü 日本 \u2028 😀"},
    "alerts": [
        {"status": "firing", "labels": {"alertname": "Down", "job": "api", "n": "1"}, "annotations": {"a": "x"}, "startsAt": "2026-03-01T04:05:06.789Z",
         "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://p/g?x=1&y=2", "fingerprint": "00ff"},
        {"status": "resolved", "labels": {"alertname": "Down", "job": "web", "n": "22"}, "annotations": {}, "startsAt": "2025-12-31T23:59:59Z",
         "endsAt": "2026-01-01T00:00:00.000001Z", "generatorURL": "", "fingerprint": "abcdef"},
    ],
}
R = random.Random()
pick = R.choice

STRINGS = ['""', '"a"', '"héllo wörld"', '"<b>&\'"', '`raw\\n"x"`', '"a,b,c"', '"%d"', '"12"', '" pad "', '"x\\ty\\n"', '"javascript:alert(1)"', '"日本語"', '"\\u00e9\\x41"']
INTS = ["0", "1", "-1", "2", "7", "42", "-13", "1000000", "0x1F", "0b101", "0o17", "1_000", "'a'", "'\\n'", "9223372036854775807"]
FLOATS = ["0.0", "1.5", "-2.25", "1e3", "1e21", "1e-7", "3.14159265358979", "100000000.0", "0x1p4", "1e100", ".5"]
VERBS = ["v", "+v", "#v", "d", "s", "q", "x", "X", "o", "b", "c", "U", "e", "E", "f", "F", "g", "G", "t", "T", "p", "O", "+q", "#q", "#x", "% x", "+d", "#U", "z", "%", "w"]
WIDTHS = ["", "", "", "5", "-8", "08", "+6", ".2", "8.3", "-8.1", "08.3", "#", " ", "*", ".0", "0", "+", "- 5", "[1]", "[2]", "[1]*", "."]
VARS = []


def string(d):
    if d <= 0 or R.random() < .35:
        return pick(STRINGS + [".Receiver", ".Status", ".ExternalURL", ".CommonLabels.job", ".CommonAnnotations.summary", ".CommonAnnotations.uni", ".CommonLabels.sev"])
    f = R.randrange(16)
    if f == 0: return "(%s %s)" % (pick(["toUpper", "toLower", "title", "trimSpace", "urlquery", "html", "js", "urlUnescape", "safeHtml", "safeUrl", "print", "println", "base64encode" if False else "toUpper"]), string(d - 1))
    if f == 1: return "(printf %s %s)" % (fmt(), " ".join(anything(d - 1) for _ in range(R.randrange(4))))
    if f == 2: return '(reReplaceAll "%s" "%s" %s)' % (pick(["a", "(l+)", "[a-z]", "^", "$", "x*", "(?i)H", "\\\\w+"]), pick(["", "-", "$1", "${1}z", "$0$0"]), string(d - 1))
    if f == 3: return "(join %s (stringSlice %s))" % (string(0), " ".join(string(d - 1) for _ in range(R.randrange(4))))
    if f == 4: return "(index %s %s)" % (pick([".CommonLabels", ".GroupLabels"]), string(0))
    if f == 5: return "(slice %s %s %s)" % (string(0), pick(["0", "1", "2"]), pick(["", "1", "2", "3", "100"]))
    if f == 6: return "(print %s)" % " ".join(anything(d - 1) for _ in range(R.randrange(4)))
    if f == 7: return "(%s | %s)" % (string(d - 1), pick(["toUpper", "title", "printf \"%q\"", "printf \"%-9s|\"", "len", "html", "js", "urlquery", "print 1"]))
    if f == 8: return "(toJson %s)" % anything(d - 1)
    if f == 9: return "(%s %s %s)" % (pick(["and", "or"]), anything(d - 1), string(d - 1))
    if f == 10: return "(date %s %s)" % (pick(['"2006-01-02"', '"Jan _2 15:04:05.000 MST"', '"Mon Monday 1 01 2 02 06 3PM pm"', '".999 ,000 -07:00 Z07 -0700"', '"002 __2"']), time(d - 1))
    if f == 11: return "(humanizeDuration %s)" % pick(FLOATS + INTS + ['"65.5"', '"x"'])
    if f == 12: return "(%s).String" % time(d - 1) if R.random() < .5 else "(%s).Format \"15:04\"" % time(d - 1)
    if f == 13: return "(index (stringSlice \"p\" \"q\" \"r\") %s)" % integer(0)
    if f == 14: return "(call %s)" % string(0)
    return pick(VARS) if VARS else string(0)


def time(d):
    t = pick(["(index .Alerts 0).StartsAt", "(index .Alerts 0).EndsAt", "(index .Alerts 1).StartsAt", "(index .Alerts 1).EndsAt"])
    if d > 0 and R.random() < .4:
        return "(tz %s %s)" % (pick(['"Europe/Berlin"', '"America/New_York"', '"Asia/Kolkata"', '"UTC"', '"Nowhere/X"']), t)
    return t


def integer(d):
    if d <= 0 or R.random() < .5:
        return pick(INTS)
    return pick(["(len %s)" % string(d - 1), "(len .Alerts)", "(len .CommonLabels)", "(len .Alerts.Firing)"])


def number(d):
    return integer(d) if R.random() < .6 else pick(FLOATS)


def boolean(d):
    if d <= 0 or R.random() < .2:
        return pick(["true", "false"])
    f = R.randrange(6)
    if f == 0: return "(not %s)" % anything(d - 1)
    if f == 1: return "(%s %s %s)" % (pick(["eq", "ne", "lt", "le", "gt", "ge"]), number(d - 1), number(d - 1))
    if f == 2: return "(%s %s %s)" % (pick(["eq", "ne", "lt", "le", "gt", "ge"]), string(d - 1), string(d - 1))
    if f == 3: return "(eq %s)" % " ".join(anything(d - 1) for _ in range(R.randrange(1, 5)))
    if f == 4: return "(match %s %s)" % (pick(['"a.*"', '"^D"', '"["', '"(?i)down"']), string(d - 1))
    return "(%s %s)" % (pick(["and", "or"]), " ".join(anything(d - 1) for _ in range(R.randrange(1, 4))))


def collection(d):
    return pick([".Alerts", ".Alerts.Firing", ".Alerts.Resolved", ".CommonLabels", ".CommonLabels.SortedPairs", ".GroupLabels.Names", ".CommonLabels.Values", "(stringSlice \"u\" \"v\")",
                 ".CommonLabels.SortedPairs.Names", "(.CommonLabels.Remove (stringSlice \"job\"))", ".CommonAnnotations.SortedPairs.Values", "(index .Alerts 1).Annotations", "(slice .Alerts 1)"])


def fmt():
    n = R.randrange(1, 4)
    return '"' + "".join(pick(["", "x", "=", "%%"]) + "%" + pick(WIDTHS) + pick(VERBS) for _ in range(n)).replace('\\', '') + '"'


def anything(d):
    f = R.randrange(9)
    if f <= 2: return string(d)
    if f == 3: return integer(d)
    if f == 4: return pick(FLOATS)
    if f == 5: return boolean(d)
    if f == 6: return collection(d)
    if f == 7: return time(d)
    return pick(["nil", ".", "(index .Alerts 0)", ".Nope", ".CommonLabels.nope", "(index .Alerts 9)", "$", "1i"] if R.random() < .5 else [string(d)])


def text():
    return pick(["", " ", "x", "\n", " - ", "\n  ", "é", "{", "}}", "<p>", "'"]) if HTML is False else pick(HTML_TEXT)


HTML = False
HTML_TEXT = ["", " ", "x", "<p>", "</p>", "<a href=\"", "\">", "<a title='", "'>", "<script>var x = ", "</script>", "<style>a{b:", "</style>", "<!-- c -->", "<div onclick=\"f(", ")\">", "<img src=",
             " alt=x>", "<b id=", ">", "&amp;", "</a>", "<textarea>", "</textarea>", "<a href='/p?q=", "'>", "<script>f('", "')</script>", "<a style=\"c: ", "\">", "<input value=\"", "\" />"]


def trim(action):
    l, r = pick(["", "", "", "- "]), pick(["", "", "", " -"])
    return "{{%s%s%s}}" % (l, action, r)


def node(d, loop=False):
    f = R.randrange(13 if d > 0 else 5)
    if f <= 1: return text() + trim(string(d))
    if f == 2: return trim(anything(d))
    if f == 3: return text()
    if f == 4: return trim(number(d))
    if f == 5: return trim("if " + anything(d - 1)) + body(d - 1, loop) + (trim("else if " + boolean(d - 1)) + body(d - 1, loop) if R.random() < .3 else "") + (trim("else") + body(d - 1, loop) if R.random() < .5 else "") + trim("end")
    if f == 6:
        head = pick(["range ", "range $i, $e := ", "range $e := "])
        inner = body(d - 1, True) + (trim("$e") if "$e" in head and R.random() < .7 else trim(".") if R.random() < .5 else "")
        return trim(head + (collection(d - 1) if R.random() < .8 else pick(["3", "nil", "\"abc\"", "0"]))) + inner + (trim("else") + body(d - 1, loop) if R.random() < .3 else "") + trim("end")
    if f == 7: return trim("with " + pick(["", "$w := "]) + anything(d - 1)) + body(d - 1, loop) + trim(".") + (trim("else") + body(d - 1, loop) if R.random() < .4 else "") + trim("end")
    if f == 8:
        v = "$v%d" % R.randrange(3)
        s = trim("%s := %s" % (v, anything(d - 1)))
        VARS.append(v)
        return s + trim(v) + (trim("%s = %s" % (v, anything(d - 1))) + trim(v) if R.random() < .5 else "")
    if f == 9: return trim("/* c */")
    if f == 10: return trim(pick(["break", "continue"])) if loop or R.random() < .1 else text()
    if f == 11: return trim('template "%s" %s' % (pick(["t1", "t2", "rec", "none"]), anything(d - 1)))
    return trim('block "b%d" %s' % (R.randrange(2), anything(d - 1))) + body(d - 1) + trim("end")


def body(d, loop=False):
    global VARS
    keep = list(VARS)
    out = "".join(node(d, loop) for _ in range(R.randrange(1, 4)))
    VARS = keep
    return out


def case(seed, html):
    global VARS, HTML, R, pick
    R = random.Random(seed)
    pick = R.choice
    VARS, HTML = [], html
    out = body(3)
    if R.random() < .04:  # mangled
        i = R.randrange(len(out) + 1)
        out = out[:i] + pick(["{{", "}}", "(", ")", "|", "\"", "end", "{{end}}", "{{else}}", "$", "."]) + out[i:]
    return out


TMPL = '{{ define "t1" }}[{{ . }}]{{ end }}{{ define "t2" }}{{ if . }}{{ printf "%v" . }}{{ else }}none{{ end }}{{ end }}{{ define "rec" }}{{ with . }}{{ template "t1" . }}{{ end }}{{ end }}'


def known(text, theirs, ours):
    """What must differ: addresses, complex numbers (refused by name), strings that are no UTF-8, and amtool's data,
    which are no pointer and lack the fields of 0.34."""
    both = theirs[1] + ours[1]
    return (b"0x" in theirs[1] and b"0x" in ours[1]) or b"complex" in both or "1i" in text or b"\xef\xbf\xbd" in ours[1] or b"template.Data" in both \
        or b"{team-X" in both or b'&{"team-X"' in both or b"&amp;{&#34;team-X" in both or b"\\ufffd" in both


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--amtool", required=True)
    a.add_argument("--watchfire", required=True)
    a.add_argument("--count", type=int, default=500)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--type", choices=["text", "html", "both"], default="both")
    a.add_argument("--show", type=int, default=15)
    o = a.parse_args()
    d = tempfile.mkdtemp()
    open(d + "/a.tmpl", "w").write(TMPL)
    json.dump(DATA, open(d + "/data.json", "w"))

    def run(program, text, kind):
        try:
            p = subprocess.run([program, "template", "render", "--template.glob=" + d + "/a.tmpl", "--template.text=" + text, "--template.type=" + kind, "--template.data=" + d + "/data.json"],
                               capture_output=True, timeout=60, env={"PATH": "/usr/bin", "HOME": d, "TZ": "UTC"})
        except subprocess.TimeoutExpired:
            return ("timeout", b"")
        if p.returncode == 0:
            return ("ok", p.stdout)
        err = p.stderr.decode(errors="replace").strip()
        for prefix in ("amtool: error: ", "error: "):
            if err.startswith(prefix):
                err = err[len(prefix):]
        return ("error", err.encode())

    tally = {"ok": 0, "error": 0}
    bad = 0

    def one(seed):
        kind = {"text": "text", "html": "html"}.get(o.type) or ("html" if seed % 2 else "text")
        text = case_locked(seed, kind == "html")
        if not text or "\x00" in text:
            return None
        return seed, kind, text, run(o.amtool, text, kind), run(o.watchfire, text, kind)

    import threading
    lock = threading.Lock()

    def case_locked(seed, html):
        with lock:
            return case(seed, html)

    with ThreadPoolExecutor(3) as pool:
        for r in pool.map(one, range(o.seed, o.seed + o.count)):
            if r is None:
                continue
            seed, kind, text, theirs, ours = r
            if known(text, theirs, ours):
                continue
            tally[theirs[0]] = tally.get(theirs[0], 0) + 1
            if theirs != ours:
                bad += 1
                if bad <= o.show:
                    print("== seed %d (%s)\n%r\n-- amtool   %s %r\n-- watchfire %s %r" % (seed, kind, text, theirs[0], theirs[1][:600], ours[0], ours[1][:600]))
    print("%s; %d differ" % (tally, bad))
    sys.exit(bad > 0)


main()
