#!/usr/bin/env python3
"""Explains what promql_diff.py counts: finds the innermost expression that differs and matches it with a known change of upstream.

    D=../shared/oracle/promql_diff.py; O=http://127.0.0.1:9090; S=http://127.0.0.1:9091
    $D --load -n 2000 --seed 1 --show 1000000 $O $S > seed-1.txt
    tests/differential/promql_classify.py $O $S seed-1.txt ...

Oracle and subject are the two servers of promql_diff.py (a Prometheus 3.5.3 and a watchfire), still running with the same data. For
each difference that the files count, the query is asked again, part by part, as an instant query at a time at which it differs:
as long as some part of an expression differs, that part is the one to explain. The innermost one has parts that agree, and
must match one of ENTRIES below by what both servers say of it, not by its looks. The entries are those of the compatibility ledger
(src/manual/compat/promql.rs). Prints how many differences each entry explains and every one that none does; exit code 1
if there is any such. Needs what promql_diff.py needs (cramjam, requests); --tools says where it is."""
import argparse
import json
import os
import re
import sys
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
STATS = ("histogram_count", "histogram_sum", "histogram_avg")


def counted(path):
    """The counted differences of an output of promql_diff.py: class, query, path and parameters."""
    kind, lines = None, open(path, encoding="utf-8").read().split("\n")
    for at, line in enumerate(lines):
        head = re.match(r"== (.*): (\d+)$", line)
        if head:
            kind = head[1]
        elif line.startswith("   ") and not line.startswith("    ") and kind and not kind.startswith("~"):
            where, params = lines[at + 1].strip().split(" ", 1)
            yield kind, line.strip(), where, eval(params, {"__builtins__": {}})  # a dict that promql_diff.py printed


# ---- expressions, as /api/v1/parse_query gives them

def duration(ms):
    return f"{ms}ms"


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def modifiers(n):
    out = ""
    if n.get("startOrEnd"):
        out += f" @ {n['startOrEnd']}()"
    elif n.get("timestamp") is not None:
        out += f" @ {n['timestamp'] / 1000:.3f}"
    if n.get("offset"):
        out += f" offset {'-' if n['offset'] < 0 else ''}{duration(abs(n['offset']))}"
    return out


def selector(n):
    ms = ",".join(f"{m['name']}{m['type']}{quoted(m['value'])}" for m in n["matchers"])
    return "{" + ms + "}"


def text(n):
    kind = n["type"]
    if kind == "numberLiteral":
        return n["val"]
    if kind == "stringLiteral":
        return quoted(n["val"])
    if kind == "parenExpr":
        return f"({text(n['expr'])})"
    if kind == "unaryExpr":
        return f"{n['op']}({text(n['expr'])})"
    if kind == "vectorSelector":
        return selector(n) + modifiers(n)
    if kind == "matrixSelector":
        return f"{selector(n)}[{duration(n['range'])}]{modifiers(n)}"
    if kind == "subquery":
        step = duration(n["step"]) if n.get("step") else ""
        return f"({text(n['expr'])})[{duration(n['range'])}:{step}]{modifiers(n)}"
    if kind == "call":
        return f"{n['func']['name']}({', '.join(map(text, n['args']))})"
    if kind == "aggregation":
        by = f" {'without' if n['without'] else 'by'} ({', '.join(n['grouping'])}) " if n["grouping"] or n["without"] else " "
        inner = [text(n[f]) for f in ("param", "expr") if n.get(f)]
        return f"{n['op']}{by}({', '.join(inner)})"
    if kind == "binaryExpr":
        m, out = n.get("matching"), ""
        if m and (m["on"] or m["labels"]):
            out = f" {'on' if m['on'] else 'ignoring'} ({', '.join(m['labels'])})"
        if m and m["card"] in ("many-to-one", "one-to-many"):
            out += f" {'group_left' if m['card'] == 'many-to-one' else 'group_right'} ({', '.join(m['include'])})"
        return f"(({text(n['lhs'])}) {n['op']}{' bool' if n['bool'] else ''}{out} ({text(n['rhs'])}))"
    raise SystemExit(f"unknown node {kind}")


def parts(n):
    fields = [n.get(f) for f in ("param", "lhs", "rhs", "expr") if n.get(f)] + n.get("args", [])
    return [p for p in fields if p["type"] not in ("numberLiteral", "stringLiteral")]


def every(n):
    yield n
    for p in parts(n):
        yield from every(p)


def fix_times(n, start, end):
    """start() and end() as numbers, so that the expression means the same in an instant query."""
    for part in every(n):
        which = part.get("startOrEnd")
        if which:
            part["startOrEnd"], part["timestamp"] = "", round((start if which == "start" else end) * 1000)


# ---- asking both

class Servers:
    def __init__(self, oracle, subject, tools):
        sys.path.insert(0, tools)
        import promql_diff
        self.tool, self.oracle, self.subject = promql_diff, oracle, subject

    def both(self, query, path, params):
        return [self.tool.ask(base, path, {**params, "query": query}) for base in (self.oracle, self.subject)]

    def differ(self, query, path, params, tol):
        """None, or what differs, and both answers."""
        a, b = self.both(query, path, params)
        ordered = path.endswith("query") and query.startswith(("sort", "topk", "bottomk"))
        d = self.tool.compare(query, a, b, ordered, tol)
        return (d[0], a, b) if d and not d[0].startswith("~") else None

    def tree(self, query):
        answer = self.tool.ask(self.subject, "/api/v1/parse_query", {"query": query})
        if answer["status"] != "success":
            raise SystemExit(f"cannot parse {query}: {answer}")
        return answer["data"]


class Found:
    """The innermost expression that differs: its tree, the time, and what both servers say of it."""

    def __init__(self, servers, node, time, tol, difference):
        self.servers, self.node, self.time, self.tol = servers, node, time, tol
        self.kind, self.oracle, self.subject = difference

    def ask(self, node):
        """What the oracle says of a part at the same time."""
        return self.servers.both(text(node), "/api/v1/query", {"time": f"{self.time:.3f}"})

    def name(self):
        n = self.node
        return n["func"]["name"] if n["type"] == "call" else n.get("op", n["type"])

    def points(self):
        """Label sets at which the answers differ, with both values."""
        a, b = by_labels(self.oracle), by_labels(self.subject)
        out = {}
        for key in a.keys() | b.keys():
            if not alike(a.get(key), b.get(key), self.tol):
                out[key] = (a.get(key), b.get(key))
        return out


def result(answer):
    if answer.get("status") != "success":
        return []
    data = answer["data"]
    return data["result"] if data["resultType"] in ("vector", "matrix") else [{"metric": {}, "value": data["result"]}]


def by_labels(answer):
    """The value of each series: a text, or a histogram as a dict."""
    return {json.dumps(s["metric"], sort_keys=True): (s.get("value") or s.get("histogram") or [0, None])[1] for s in result(answer)}


def alike(a, b, tol):
    if isinstance(a, dict) and isinstance(b, dict):
        return json.dumps(a) == json.dumps(b)
    if isinstance(a, str) and isinstance(b, str):
        x, y = float(a), float(b)
        return x == y or (x != x and y != y) or abs(x - y) <= tol * max(abs(x), abs(y))
    return a is b


def differing_time(a, b, tol):
    """The first time at which two matrices differ, in seconds."""
    times = {}
    for side, answer in enumerate((a, b)):
        for s in result(answer):
            key = json.dumps(s["metric"], sort_keys=True)
            for t, v in s.get("values", []) + s.get("histograms", []):
                times.setdefault(float(t), ({}, {}))[side][key] = v
    for t in sorted(times):
        x, y = times[t]
        if x.keys() != y.keys() or any(not alike(x[k], y[k], tol) for k in x):
            return t
    return None


def innermost(servers, node, time, tol, difference):
    """Goes down as long as a part differs."""
    while True:
        for part in parts(node):
            query, params = text(part), {"time": f"{time:.3f}"}
            below = servers.differ(query, "/api/v1/query", params, tol)
            if not below:
                continue
            if part["type"] == "subquery":
                at = differing_time(below[1], below[2], tol)
                inside = at and servers.differ(text(part["expr"]), "/api/v1/query", {"time": f"{at:.3f}"}, tol)
                if inside:
                    node, time, difference = part["expr"], at, inside
                    break
            node, difference = part, below
            break
        else:
            return Found(servers, node, time, tol, difference)


def locate(servers, query, path, params):
    """The innermost expression that differs; None if nothing differs (any more)."""
    whole = servers.differ(query, path, params, 1e-9)
    if not whole:
        return None
    node = servers.tree(query)
    if path.endswith("query"):
        times = [float(params["time"])]
    else:
        start, end, step = params["start"], params["end"], params["step"]
        fix_times(node, start, end)
        first = differing_time(whole[1], whole[2], 1e-9)
        times = [first] if first else []
        times += [float(t) for t in range(start, end + 1, step)]
    if not path.endswith("query") and whole[0] == "warnings" and ignored_sort(whole):
        return Found(servers, node, None, 1e-9, whole)
    for time in times:
        here = servers.differ(text(node), "/api/v1/query", {"time": f"{time:.3f}"}, 1e-9)
        if here:
            found = innermost(servers, node, time, 1e-9, here)
            # Where texts or comparisons are made of numbers, the last bit of a part may be the cause.
            finer = innermost(servers, found.node, time, 0.0, here)
            return finer if finer.node is not found.node else found
    return Found(servers, node, None, 1e-9, whole)


# ---- the known changes

def notes(answer, kind):
    return [re.sub(r" \(\d+:\d+\)$", "", note) for note in answer.get(kind) or []]


def only_more_warnings(difference, wanted):
    kind, a, b = difference
    mine, theirs = Counter(notes(b, "warnings")), Counter(notes(a, "warnings"))
    more = mine - theirs
    return kind == "warnings" and more and not theirs - mine and all(wanted in w for w in more)


def ignored_sort(d):
    return only_more_warnings(d, "sort is ineffective for range queries")


def sort_in_range(f):
    """The subquery of an instant query is evaluated over a range, too."""
    return (f.time is None or f.node["type"] == "subquery") and ignored_sort((f.kind, f.oracle, f.subject))


def fraction_of_first_bucket(f):
    """The lower bound lies in the first bucket: 3.5 says NaN."""
    if f.name() != "histogram_fraction":
        return False
    return f.points() and all(a == "NaN" and b not in (None, "NaN") for a, b in f.points().values())


def conflicting_resets(f):
    return only_more_warnings((f.kind, f.oracle, f.subject), "conflicting counter resets during histogram")


def negated_is_gauge(f):
    negated = any(n["type"] == "unaryExpr" or n.get("op") in ("*", "/", "-") for n in every(f.node))
    return negated and only_more_warnings((f.kind, f.oracle, f.subject), "this native histogram metric is not a counter")


def mad_of_nan(f):
    if f.name() != "mad_over_time":
        return False
    ranges, _ = f.ask(f.node["args"][0])
    with_nan = {json.dumps({k: v for k, v in s["metric"].items() if k != "__name__"}, sort_keys=True)
                for s in result(ranges) if any(v == "NaN" for _, v in s.get("values", []))}
    return f.points() and all(b == "NaN" and key in with_nan for key, (_, b) in f.points().items())


def filtered_match_not_unique(f):
    return (f.node["type"] == "binaryExpr" and f.name() in ("==", "!=", ">", "<", ">=", "<=") and not f.node["bool"]
            and f.oracle["status"] == "success" and "multiple matches for labels" in f.subject.get("error", ""))


def one_sided(h):
    """A histogram with a zero bucket that has observations on one side of it at most."""
    buckets = h.get("buckets") or []
    zero = [b for b in buckets if float(b[1]) <= 0 <= float(b[2])]
    below = any(float(b[2]) <= 0 for b in buckets)
    above = any(float(b[1]) >= 0 for b in buckets)
    return bool(zero) and not (below and above)


def without_name(key):
    return json.dumps({k: v for k, v in json.loads(key).items() if k != "__name__"}, sort_keys=True)


def padded_quantile(f):
    """The histograms look alike, and an empty bucket of one can matter: it decides which sides there are, or it is the
    last one seen, or the first and below all others, where counts are negative."""
    theirs, ours = (by_labels(x) for x in f.ask(f.node["args"][-1]))
    pairs = {without_name(key): (v, ours.get(key)) for key, v in theirs.items()}

    def explained(key, answer):
        a, b = pairs.get(key, (None, None))
        if not isinstance(a, dict) or a != b:
            return False
        bounds = [float(x) for bucket in a["buckets"] for x in bucket[1:3]]
        outside = float(answer) not in bounds or float(answer) == min(bounds)
        return one_sided(a) or (float(a["count"]) < 0 and outside)
    return f.points() and all(a is not None and explained(key, a) for key, (a, _) in f.points().items())


def padded_product(f):
    """A product of an empty bucket with an infinity is NaN and shows; a bucket that is not there does not."""
    def only_nan_more(a, b):
        if not (isinstance(a, dict) and isinstance(b, dict)):
            return False
        more = [x for x in a["buckets"] if x not in b["buckets"]]
        return more and all(x[3] == "NaN" for x in more) and (a["count"], a["sum"]) == (b["count"], b["sum"])
    return f.points() and all(only_nan_more(a, b) for a, b in f.points().values())


def padded_changes(f):
    """Two samples that look alike and differ in empty buckets count as a change; there must be as many such pairs."""
    ranges, _ = f.ask(f.node["args"][0])
    twins = Counter()
    for s in result(ranges):
        points = sorted(s.get("values", []) + s.get("histograms", []), key=lambda p: p[0])
        twins[without_name(json.dumps(s["metric"]))] = sum(x[1] == y[1] for x, y in zip(points, points[1:]))
    return f.points() and all(0 < int(a) - int(b) <= twins[key] for key, (a, b) in f.points().items())


PADDED = {"histogram_quantile": padded_quantile, "histogram_fraction": padded_quantile, "*": padded_product,
          "/": padded_product, "changes": padded_changes}


def padded_by_storage(f):
    """Prometheus's chunks give a histogram the empty buckets of its neighbours; the API does not show them, some answers do."""
    return f.name() in PADDED and PADDED[f.name()](f)


def not_below_zero(f):
    """rate and increase of native histograms are extrapolated less far: everything smaller by one factor."""
    if f.name() not in ("rate", "increase"):
        return False

    def shrunk(a, b):
        if not (isinstance(a, dict) and isinstance(b, dict)) or len(a["buckets"]) != len(b["buckets"]):
            return False
        factor = float(b["count"]) / float(a["count"])
        pairs = [(a["sum"], b["sum"])] + [(x[3], y[3]) for x, y in zip(a["buckets"], b["buckets"])]
        return 0 < factor < 1 and all(abs(float(x) * factor - float(y)) <= 1e-9 * abs(float(y)) for x, y in pairs)
    return f.points() and all(shrunk(a, b) for a, b in f.points().values())


def some_selectors_without_buckets(f):
    """3.5 leaves out the buckets of the first selector alone, and of none if the call is the outermost."""
    inner = [n for n in every(f.node) if n["type"] == "call" and n["func"]["name"] in STATS]
    return bool(inner) and any(p["type"] in ("vectorSelector", "matrixSelector") for n in inner for p in every(n)) and (
        any(n["type"] in ("binaryExpr", "aggregation", "call") and n not in inner for i in inner for n in every(i)))


def compensation_apart(f):
    return f.tol == 0.0 and f.name() in ("avg", "avg_over_time")


ENTRIES = [
    ("sort in a range query warns", "range_queries.test", sort_in_range),
    ("histogram_fraction from within the first bucket", "prometheus#17424", fraction_of_first_bucket),
    ("conflicting counter resets warn", "prometheus#17051, #17094, #17312", conflicting_resets),
    ("negated native histograms and differences are gauges", "prometheus#17004, #17046", negated_is_gauge),
    ("mad_over_time with a NaN is NaN", "functions.test", mad_of_nan),
    ("a filtered match must be unique", "prometheus#17668", filtered_match_not_unique),
    ("histograms are not padded by storage", "ours: see Differences", padded_by_storage),
    ("native rates are not extrapolated below zero", "prometheus#16828", not_below_zero),
    ("all selectors below histogram_count and the like without buckets", "prometheus#18660 and before", some_selectors_without_buckets),
    ("avg divides sum and compensation apart", "aggregators.test", compensation_apart),
]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("oracle")
    ap.add_argument("subject")
    ap.add_argument("output", nargs="+", help="what promql_diff.py --show 1000000 printed")
    ap.add_argument("--tools", default=os.path.join(HERE, "../../../shared/oracle"), help="where promql_diff.py is")
    ap.add_argument("--list", action="store_true", help="print the innermost expression of each difference")
    a = ap.parse_args()
    servers = Servers(a.oracle, a.subject, a.tools)
    tally, unexplained, gone = Counter(), [], 0
    for path in a.output:
        for kind, query, where, params in counted(path):
            found = locate(servers, query, where, params)
            if not found:
                gone += 1
                continue
            entry = next((name for name, _, matches in ENTRIES if matches(found)), None)
            tally[entry] += 1
            line = f"{entry or 'UNEXPLAINED'}: {text(found.node)} at {found.time}, in {query}"
            if a.list:
                print(line)
            if not entry:
                points = list(found.points().items())[:2]
                unexplained.append(f"{line}\n   {where} {params} {kind} {found.kind} {str(points)[:500]}")
    for name, change, _ in ENTRIES:
        print(f"{tally[name]:6} {name} ({change})")
    print(f"{gone:6} agree when asked again")
    print(f"{len(unexplained):6} unexplained of {sum(tally.values()) + gone}")
    print("\n".join(unexplained))
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
