#!/usr/bin/env python3
"""Every expression of rules in the wild, in a Prometheus and in watchfire, over recorded scrapes and over data made for the expressions.

    cargo build --release
    tests/differential/rules_diff.py --peers /tmp/peers/bin --watchfire target/release/watchfire --rules ../shared/conformance/rules-wild [--record 600]

1. Real: for --record seconds a Prometheus of its own scrapes itself, watchfire, Alertmanager, VictoriaMetrics, the node exporter, the push
   gateway and etcd (which are asked things meanwhile), every five seconds; what it took is read back sample by sample.
2. Made: each selector of each expression gets series that fulfil its matchers, with the labels that the expression groups by or joins on;
   values by the name's ending: counters with resets, buckets that add up, timestamps, ratios, gauges that cross the constants that the
   expression compares with. In some series there are gaps and staleness.
Both servers get both by remote write. Each expression is then asked as instant queries at --times moments and as a range query, and the answers
must be the same texts. Prints how many expressions had an answer, each difference, and exits with 1 if there is one."""
import argparse
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

from servers import STALE, Pair, Server, free_port

# ---- expressions and their trees


def expressions(folder):
    """Texts after `expr:` in YAML files and fields of JSON; blocks are joined."""
    found = set()
    for root, _, names in os.walk(folder):
        if "victoriametrics" in root:  # another dialect
            continue
        for name in sorted(names):
            if name.endswith((".yaml", ".yml", ".rules", ".json")):
                found |= set(of_file(open(os.path.join(root, name), encoding="utf-8").read()))
    return sorted(found)


def of_file(text):
    lines = text.split("\n")
    for at, line in enumerate(lines):
        m = re.match(r"^(\s*)(- +)?[\"']?expr[\"']?:\s*(.*?)\s*$", line)
        if not m:
            continue
        value, indent, block = m[3], len(m[1]) + len(m[2] or ""), []
        for below in lines[at + 1:]:  # what stands deeper than the key belongs to its value
            if below.strip() and len(below) - len(below.lstrip()) <= indent:
                break
            block.append(below.strip())
        if value[:1] in ("|", ">"):
            yield "\n".join(block).strip()
        elif value[:1] == '"':
            try:
                yield json.loads(value.rstrip(","))
            except ValueError:
                pass
        elif value[:1] == "'":
            # A line break is a blank, an empty line a line break.
            whole = re.sub(r" ?(\n+) ?", r"\1", " ".join(line or "\n" for line in [value, *block])).strip()
            yield whole[1:whole.rfind("'")].replace("''", "'")
        elif value:
            yield " ".join([value, *block]).strip()


def nodes(n):
    yield n
    for field in ("param", "lhs", "rhs", "expr"):
        if isinstance(n.get(field), dict):
            yield from nodes(n[field])
    for arg in n.get("args", []):
        yield from nodes(arg)


# ---- data for an expression

WORDS = ["a", "b", "prometheus", "node", "default", "kube-system", "example.com", "0", "1", "5", "10", "200", "404", "500", "503", "error", "success", "true", "false", "sda", "eth0", "/", "/var",
         "ext4", "Ready", "Running", "Failed", "Pending", "api", "get", "GET", "LIST", "POST", "idle", "user", "iowait", "p-0", "10.0.0.1:9090", "cpu", "memory", "limit", "hard", "used", "x"]


def satisfying(matchers, rng):
    """A value that all matchers of a label accept, as the servers' regular expressions mostly understand it; None if none is found."""
    candidates = []
    for m in matchers:
        if m["type"] == "=":
            candidates = [m["value"]]
            break
        if m["type"] == "=~":
            candidates += [alternative for alternative in re.split(r"\|", re.sub(r"^\^?\(?(?:\?:)?|\)?\$?$", "", m["value"]))]
            candidates += [simplest(m["value"])]
    words = WORDS[:]
    rng.shuffle(words)
    for candidate in [c for c in candidates if c is not None] + words:
        if all(accepts(m, candidate) for m in matchers):
            return candidate
    return None


def accepts(m, value):
    if m["type"] in ("=", "!="):
        return (value == m["value"]) == (m["type"] == "=")
    try:
        return bool(re.fullmatch(m["value"], value)) == (m["type"] == "=~")
    except re.error:
        return False


def simplest(pattern):
    """A text for a simple pattern: what repeats is left out or stands once."""
    text = re.sub(r"\(\?[:i]*", "(", pattern).strip("^$")
    for _ in range(5):
        text = re.sub(r"\(([^()|]*)(?:\|[^()]*)?\)[*?+]?", r"\1", text)
    text = re.sub(r"\[\^[^\]]*\]", "x", text)
    text = re.sub(r"\[(.)[^\]]*\]", r"\1", text)
    text = re.sub(r"\\d", "1", text)
    text = re.sub(r"\\(.)", r"\1", text)
    return re.sub(r"(.)[*?+]", lambda m: "x" if m[1] == "." else m[1], text).split("|")[0]


def labels_used(tree):
    """Labels that groupings, joins and functions name anywhere in an expression."""
    used = set()
    for n in nodes(tree):
        used |= set(n.get("grouping") or [])
        matching = n.get("matching") or {}
        used |= set(matching.get("labels") or []) | set(matching.get("include") or [])
        if n["type"] == "call" and n["func"]["name"] in ("label_replace", "label_join"):
            used |= {a["val"] for a in n["args"][3:] if a["type"] == "stringLiteral" and re.fullmatch(r"[a-zA-Z_]\w*", a["val"])}
    return used - {"__name__"}


def constants(tree):
    return [float(n["val"]) for n in nodes(tree) if n["type"] == "numberLiteral" and n["val"] not in ("NaN", "+Inf", "-Inf", "Inf")]


class Maker:
    """Collects series and what their values should be like."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.series = {}

    def add(self, tree):
        used, limits = labels_used(tree), constants(tree)
        for n in nodes(tree):
            if n["type"] in ("vectorSelector", "matrixSelector"):
                self.selector(n["matchers"], used, limits)

    def selector(self, matchers, used, limits):
        by_label = {}
        for m in matchers:
            by_label.setdefault(m["name"], []).append(m)
        fixed = {}
        for name, ms in by_label.items():
            value = satisfying(ms, self.rng)
            if value is None:
                return
            if value:
                fixed[name] = value
        name = fixed.get("__name__")
        if not name:
            return
        free = sorted(l for l in used if l not in by_label and l != "le")
        for k in range(3):
            labels = dict(fixed)
            for l in free:
                # Two of three series share their labels' values with those of other metrics, so that joins match.
                labels[l] = f"{l}-{k % 2}"
            labels.setdefault("instance", f"host-{k % 2}:9100")
            labels.setdefault("job", "made")
            if k == 2:
                labels["made_as"] = "third"
            if name.endswith("_bucket") and "le" not in by_label:
                for le in ("0.005", "0.1", "0.5", "1", "2.5", "10", "60", "+Inf"):
                    self.put({**labels, "le": le}, limits)
            else:
                self.put(labels, limits)

    def put(self, labels, limits):
        self.series.setdefault(json.dumps(labels, sort_keys=True), []).extend(limits)

    def data(self, start, end, step=15):
        for key in sorted(self.series):
            labels = json.loads(key)
            yield labels, list(self.samples(labels, self.series[key], start, end, step))

    def samples(self, labels, limits, start, end, step):
        rng = random.Random(json.dumps(labels, sort_keys=True))
        name = labels["__name__"]
        near = rng.choice(limits) if limits else 1.0
        base = near * rng.choice((0.5, 1.0, 1.5, 2.0)) + rng.choice((0.0, 0.0, 1.0, -1.0, 1e-3))
        speed = rng.choice((0.0, 0.1, 3.0, 50.0)) * (1 + abs(near) if abs(near) < 1000 else 1)
        total, gap = rng.random() * 100, 0
        share = {"+Inf": 1.0}.get(labels.get("le"), 1 - math.exp(-float(labels["le"].replace("+Inf", "inf")))) if re.fullmatch(r"[0-9.]+|\+Inf", labels.get("le", "x")) else None
        for i, t in enumerate(range(start, end + 1, step)):
            r = rng.random()
            if gap:
                gap -= 1
                continue
            if r < 0.002:
                gap = rng.randrange(1, 30)
                yield t * 1000, STALE
                continue
            if share is not None:
                value = math.floor(i * 7 * share)
            elif name.endswith(("_total", "_count", "_sum", "_bucket")) or "total" in name:
                total = 0.0 if r > 0.997 else total + speed * rng.random() * step
                value = total
            elif "timestamp" in name or name.endswith(("_time", "_time_seconds", "not_after", "_expiry")):
                value = t + rng.choice((-86400 * 10, -3600, -30, 3600, 86400 * 5)) if i == 0 else value + (step if r < 0.5 else 0)
            elif name == "up" or name.endswith(("_info", "_up", "_success", "_healthy", "_enabled", "_ready")):
                value = float(r > 0.3)
            elif r > 0.9:
                value = near
            else:
                value = base + math.sin(i / 9 + len(name)) * (abs(base) * 0.6 + 0.2)
            yield t * 1000, float(value)


# ---- a recording of real processes

class Recording:
    """Real processes that a Prometheus scrapes; `series` reads all samples back."""

    def __init__(self, peers, watchfire, seconds):
        self.processes, self.folder = [], tempfile.TemporaryDirectory()
        at = lambda *path: os.path.join(self.folder.name, *path)
        ports = {name: free_port() for name in ("prometheus", "watchfire", "alertmanager", "vm", "node", "pushgateway", "etcd", "etcd-peer", "am-web")}
        url = lambda name: f"127.0.0.1:{ports[name]}"
        with open(at("am.yml"), "w", encoding="utf-8") as f:
            f.write("route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n")
        jobs = {"prometheus": "prometheus", "watchfire": "watchfire", "alertmanager": "alertmanager", "victoriametrics": "vm", "node": "node", "node-exporter": "node", "pushgateway": "pushgateway", "etcd": "etcd", "gone": "am-web"}
        config = "global: {scrape_interval: 5s, evaluation_interval: 5s}\nrule_files: [rules.yml]\nalerting: {alertmanagers: [{static_configs: [{targets: ['" + url("alertmanager") + "']}]}]}\nscrape_configs:\n"
        config += "".join(f"- {{job_name: {job}, static_configs: [{{targets: ['{url(name)}']}}]}}\n" for job, name in jobs.items())
        config += f"remote_write: [{{url: 'http://{url('vm')}/api/v1/write'}}]\n"
        for name, content in (("p.yml", config), ("rules.yml", "groups: [{name: g, rules: [{alert: Down, expr: 'up == 0', labels: {severity: page}}, {record: 'a:b', expr: 'sum(up)'}]}]\n")):
            with open(at(name), "w", encoding="utf-8") as f:
                f.write(content)
        bins = lambda name: os.path.join(peers, name)
        self.run([bins("prometheus-alertmanager"), f"--config.file={at('am.yml')}", f"--storage.path={at('am')}", f"--web.listen-address={url('alertmanager')}", "--cluster.listen-address="])
        self.run([bins("victoria-metrics"), f"-storageDataPath={at('vm')}", f"-httpListenAddr={url('vm')}"])
        self.run([bins("prometheus-node-exporter"), f"--web.listen-address={url('node')}"])
        self.run([bins("prometheus-pushgateway"), f"--web.listen-address={url('pushgateway')}"])
        self.run([bins("etcd"), f"--data-dir={at('etcd')}", f"--listen-client-urls=http://{url('etcd')}", f"--advertise-client-urls=http://{url('etcd')}",
                  f"--listen-peer-urls=http://{url('etcd-peer')}", f"--initial-advertise-peer-urls=http://{url('etcd-peer')}", f"--initial-cluster=default=http://{url('etcd-peer')}"])
        self.run([watchfire, "serve", f"--config.file={at('p.yml')}", f"--storage.tsdb.path={at('wf')}", f"--web.listen-address={url('watchfire')}"])
        self.run([bins("prometheus"), f"--config.file={at('p.yml')}", f"--storage.tsdb.path={at('p')}", f"--web.listen-address={url('prometheus')}"])
        self.prometheus = Server("recorder", ports["prometheus"])
        self.begin, self.end = int(time.time()), int(time.time()) + seconds
        self.thread = threading.Thread(target=self.load, args=(ports,), daemon=True)
        self.thread.start()

    def run(self, command):
        self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def load(self, ports):
        """Some work for the processes, good and bad."""
        rng = random.Random(1)
        while time.time() < self.end:
            for name, path in (("prometheus", "/api/v1/query?query=sum(rate(up[5m]))"), ("prometheus", "/api/v1/query?query=up{"), ("watchfire", "/api/v1/query?query=count({__name__=~'.%2B'})"), ("vm", "/api/v1/query?query=up"),
                               ("alertmanager", "/api/v2/alerts"), ("alertmanager", "/nothing"), ("node", "/metrics"), ("etcd", "/health"), ("pushgateway", "/metrics")):
                try:
                    Server(name, ports[name]).request("GET", path)
                    Server("etcd", ports["etcd"]).request("POST", "/v3/kv/put", json.dumps({"key": "Zm9v", "value": "YmFy"}))
                except OSError:
                    pass
            time.sleep(rng.random())

    def series(self):
        """Waits until the recording is long enough and gives all series with their samples."""
        time.sleep(max(0, self.end - time.time()))
        out, seconds = [], int(time.time()) - self.begin + 60
        _, _, names = self.prometheus.request("GET", "/api/v1/label/__name__/values")
        for name in json.loads(names)["data"]:
            _, _, body = self.prometheus.form("/api/v1/query", {"query": '{__name__=%s}[%ds]' % (json.dumps(name), seconds)})
            for s in json.loads(body)["data"]["result"]:
                if s.get("values"):
                    out.append((s["metric"], [(round(t * 1000), float(v)) for t, v in s["values"]]))
        for process in self.processes:
            process.kill()
            process.wait()
        self.folder.cleanup()
        return out


# ---- comparing

def answer(server, path, params):
    status, _, body = server.form(path, params)
    try:
        body = json.loads(body)
    except ValueError:
        return status, body
    for s in (body.get("data") or {}).get("result") or []:
        if isinstance(s, dict):
            s["key"] = json.dumps(s["metric"], sort_keys=True)
    if isinstance((body.get("data") or {}).get("result"), list) and body["data"]["resultType"] in ("vector", "matrix"):
        body["data"]["result"].sort(key=lambda s: s["key"])
    return status, body


def last_bit(a, b):
    """Whether two answers differ in numbers alone, and there by rounding."""
    if isinstance(a, str) and isinstance(b, str):
        try:
            x, y = float(a), float(b)
        except ValueError:
            return a == b
        return x == y or (x != x and y != y) or abs(x - y) <= 1e-14 * max(abs(x), abs(y))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(last_bit(x, y) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(last_bit(a[k], b[k]) for k in a)
    return a == b


def newer(theirs, ours):
    """Texts of errors and notes are those of 3.14; a filtered match must be unique (prometheus#17668)."""
    a, b = dict(theirs[1]), dict(ours[1])
    for j in (a, b):
        for kind in ("error", "warnings", "infos"):
            j.pop(kind, None)
    if theirs[0] == ours[0] and a == b:
        return "texts of errors and notes"
    if "multiple matches for labels" in ours[1].get("error", "") and theirs[0] == 200:
        return "a filtered match must be unique (prometheus#17668)"
    return None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--peers", required=True, help="folder of the peers' programs")
    ap.add_argument("--watchfire", required=True)
    ap.add_argument("--rules", required=True)
    ap.add_argument("--record", type=int, default=600, help="seconds of real scrapes; 0 for none")
    ap.add_argument("--times", type=int, default=4)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--keep", help="file to keep the recording in, or to take it from if it is there")
    a = ap.parse_args()
    if a.keep and os.path.exists(a.keep):
        real = [(m, [tuple(s) for s in samples]) for m, samples in json.load(open(a.keep, encoding="utf-8"))]
    else:
        real = Recording(a.peers, a.watchfire, a.record).series() if a.record else []
        if a.keep:
            json.dump(real, open(a.keep, "w", encoding="utf-8"))
    texts = expressions(a.rules)
    with Pair(os.path.join(a.peers, "prometheus"), a.watchfire) as pair:
        maker, trees = Maker(a.seed), {}
        for text in texts:
            status, _, body = pair.ours.form("/api/v1/parse_query", {"query": text})
            if status == 200:
                trees[text] = json.loads(body)["data"]
                maker.add(trees[text])
        end = max((s[-1][0] for _, s in real), default=int(time.time()) * 1000) // 15000 * 15
        begin = min((s[0][0] for _, s in real), default=(end - 600) * 1000) // 1000
        made = list(maker.data(end - 7200, end))
        known = {json.dumps(m, sort_keys=True) for m, _ in real}
        made = [s for s in made if json.dumps(s[0], sort_keys=True) not in known]
        print(f"{len(texts)} expressions, {len(trees)} parse; {len(real)} recorded series with {sum(len(s) for _, s in real)} samples over {end - begin} s; {len(made)} made series with {sum(len(s) for _, s in made)} samples", flush=True)
        for server in (pair.theirs, pair.ours):
            server.write(made + real)
        tally, answered, real_answered, differing = Counter(), set(), set(), []
        moments = [end - i * max(60, (end - begin) // (a.times + 1)) for i in range(a.times)]
        for text in sorted(trees):
            asked = [("/api/v1/query", {"query": text, "time": t}) for t in moments] + [("/api/v1/query_range", {"query": text, "start": end - 1800, "end": end, "step": 60})]
            for path, params in asked:
                theirs, ours = answer(pair.theirs, path, params), answer(pair.ours, path, params)
                tally["compared"] += 1
                if ours[1].get("data", {}).get("result"):
                    answered.add(text)
                    if any("made" != s.get("metric", {}).get("job") for s in ours[1]["data"]["result"] if isinstance(s, dict)):
                        real_answered.add(text)
                if theirs == ours:
                    tally["the same texts"] += 1
                    continue
                again = [answer(pair.theirs, path, params) for _ in range(3)]
                if any(x != theirs for x in again):
                    tally["Prometheus does not agree with itself"] += 1
                    continue
                why = newer(theirs, ours) or ("the last bits" if theirs[0] == ours[0] and last_bit(theirs[1], ours[1]) else None)
                tally[why or "DIFFERENT"] += 1
                if not why or why == "the last bits":
                    differing.append(f"{why or 'DIFFERENT'}: {path} {params}\n   theirs {theirs[0]} {str(theirs[1])[:600]}\n   ours   {ours[0]} {str(ours[1])[:600]}")
    print("\n".join(differing))
    print(f"{len(answered)} of {len(trees)} expressions had an answer, {len(real_answered)} of them with labels of recorded jobs")
    for name, count in tally.most_common():
        print(f"{count:6} {name}")
    sys.exit(1 if tally["DIFFERENT"] else 0)


if __name__ == "__main__":
    main()
