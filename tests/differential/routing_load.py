#!/usr/bin/env python3
"""A wide router: 1,000 routes and 1,000 silences against 100,000 alerts; CPU per alert, memory, time to list.

    BENCHTOOL=.../benchtool OURS=target/release/watchfire PEERS=/tmp/peers/bin tests/differential/routing_load.py
      --bench ../shared/bench --system ours|alertmanager [--alerts 100000] [--routes 1000] [--silences 1000]

Of the routes one in ten has no matcher for one certain value, of the silences one in fifty; half of the silences match
alerts. The CPU is that of the whole process from the first POST until everything that is not silenced is delivered."""
import argparse, json, os, shutil, sys, time


def config(routes, sink):
    out = ["route:", "  receiver: r0", "  group_by: [alertname]", "  group_wait: 0s", "  group_interval: 5s", "  repeat_interval: 4h", "  routes:"]
    for i in range(routes):
        team = "team-%d" % i
        if i % 10 == 9:
            m = "['team=~\"%s|other-%d\"', 'severity!=\"none\"']" % (team, i)
        elif i % 10 == 8:
            m = "['severity=~\"critical|warning\"', 'team=\"%s\"']" % team
        else:
            m = "['team=\"%s\"']" % team
        out += ["  - matchers: " + m, "    receiver: r%d" % (i % 20)]
    out += ["inhibit_rules:", "- source_matchers: ['alertname=\"NodeDown\"']", "  target_matchers: ['severity=\"warning\"']", "  equal: [instance]", "receivers:"]
    for i in range(20):
        out += ["- name: r%d" % i, "  webhook_configs: [{url: 'http://%s/hook'}]" % sink]
    return "\n".join(out) + "\n"


def silence(i, now):
    m = lambda name, value, regex=False: {"name": name, "value": value, "isRegex": regex, "isEqual": True}
    if i % 50 == 49:
        matchers = [m("pod", "none-%d-.*" % i, True)]
    elif i % 2:
        matchers = [m("severity", "critical"), m("alertname", "Alert%d" % (i % 500)), m("instance", "node-%d" % i)]
    else:
        matchers = [m("job", "bench"), m("team", "team-%d" % i), m("pod", "nothing.*", True)]
    stamp = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    return {"matchers": matchers, "startsAt": stamp(now - 60), "endsAt": stamp(now + 7200), "createdBy": "bench", "comment": "c"}


def alert(i, routes, now):
    return {"labels": {"alertname": "Alert%d" % (i % 500), "namespace": "ns-%d" % (i % 6), "severity": "critical" if i % 3 else "warning", "team": "team-%d" % (i % routes),
                       "pod": "app-%x-%d" % (i * 2654435761 & 0xffffffff, i), "instance": "node-%d" % (i % 1000), "job": "bench"},
            "annotations": {"summary": "pod app-%d is unhappy, value %d" % (i, i), "runbook_url": "https://runbooks.example.com/Alert%d" % (i % 500)},
            "startsAt": now, "generatorURL": "http://prometheus.example.com/graph?g0.expr=up"}


def silenced(i):
    """Whether one of the silences of silence() with an odd number matches alert(i)."""
    n = i % 1000
    return i % 3 != 0 and n % 2 == 1 and n % 50 != 49 and i % 500 == n % 500


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--bench", default="../shared/bench")
    a.add_argument("--system", choices=["ours", "alertmanager"], default="ours")
    a.add_argument("--alerts", type=int, default=100000)
    a.add_argument("--routes", type=int, default=1000)
    a.add_argument("--silences", type=int, default=1000)
    a.add_argument("--batch", type=int, default=256)
    a.add_argument("--timeout", type=float, default=300)
    o = a.parse_args()
    sys.path.insert(0, o.bench)
    import lib
    from http.client import HTTPConnection
    port, sink = 9293 + lib.OFF, "127.0.0.1:%d" % (9951 + lib.OFF)
    folder = os.path.join(lib.TMP, "wide")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    path = os.path.join(folder, "am.yml")
    open(path, "w").write(config(o.routes, sink))
    tool = lib.Proc([lib.TOOL, "sink", "--listen", sink], "sink")
    if o.system == "ours":
        argv = [os.environ["OURS"], "serve", "--alertmanager.config.file=" + path, "--storage.tsdb.path=" + folder + "/data", "--web.listen-address=127.0.0.1:%d" % port]
    else:
        argv = [lib.peer("prometheus-alertmanager"), "--config.file=" + path, "--storage.path=" + folder + "/data", "--web.listen-address=127.0.0.1:%d" % port, "--cluster.listen-address="]
    am = lib.Proc(argv, "wide")
    base = "http://127.0.0.1:%d" % port
    lib.wait_url(base + "/-/ready", proc=am)
    lib.wait_url("http://%s/stats" % sink)
    link = HTTPConnection("127.0.0.1", port, timeout=120)

    def post(path, body):
        link.request("POST", path, body, {"Content-Type": "application/json"})
        answer = link.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text[:300])

    now = time.time()
    for i in range(o.silences):
        post("/api/v2/silences", json.dumps(silence(i, now)))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 60))
    bodies = [json.dumps([alert(i, o.routes, stamp) for i in range(b, min(b + o.batch, o.alerts))]) for b in range(0, o.alerts, o.batch)]
    quiet = sum(silenced(i) for i in range(o.alerts)) if o.silences >= 1000 and o.routes >= 1000 else 0
    cpu, began = am.cpu(), time.time()
    for body in bodies:
        post("/api/v2/alerts", body)
    posted = time.time() - began
    while time.time() - began < o.timeout:
        stats = json.loads(lib.http("http://%s/stats" % sink)[1])
        if stats["distinct"] >= o.alerts - quiet:
            break
        time.sleep(0.05)
    time.sleep(0.5)
    cpu = am.cpu() - cpu
    peak = am.peak["rss"]
    t = time.time()
    size = len(lib.http(base + "/api/v2/alerts")[1])
    listed = time.time() - t
    suppressed = len(json.loads(lib.http(base + "/api/v2/alerts?active=false")[1]))
    am.stop()
    tool.stop()
    print("%s: %d alerts, %d routes, %d silences: posted in %.2f s, %d delivered and %d silenced (%d listed as suppressed) in %.2f s; CPU %.2f s = %.1f us/alert; RSS %.0f MB; all %.0f MB listed in %.2f s" % (
        o.system, o.alerts, o.routes, o.silences, posted, stats["distinct"], quiet, suppressed, stats["last_new"] - began, cpu, 1e6 * cpu / o.alerts, peak / 1e6, size / 1e6, listed))
    assert stats["distinct"] == o.alerts - quiet and suppressed == quiet, "not everything arrived"


main()
