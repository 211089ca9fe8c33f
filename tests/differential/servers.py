"""A Prometheus and a watchfire beside each other for the scripts of this folder: both take the same samples by remote write and are
asked the same. Python's standard library is enough."""
import http.client
import os
import socket
import struct
import subprocess
import tempfile
import time
import urllib.parse

STALE = struct.pack("<Q", 0x7FF0000000000002)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- remote write 1.0

def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append((n & 0x7F) | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def double(number, value):
    return varint(number << 3 | 1) + (value if isinstance(value, bytes) else struct.pack("<d", value))


def zigzag(n):
    return varint((n << 1 ^ n >> 63) & (1 << 64) - 1)


def native(ts, schema, buckets, zero, total):
    """A native histogram with float counts; buckets is {index: count}."""
    spans, counts, before = [], [], None
    for index in sorted(buckets):
        if before is not None and index == before + 1:
            spans[-1][1] += 1
        else:
            spans.append([index if before is None else index - before - 1, 1])
        counts.append(float(buckets[index]))
        before = index
    out = double(2, zero + sum(counts)) + double(3, total) + varint(4 << 3) + zigzag(schema) + double(5, 0.001) + double(7, float(zero))
    for offset, length in spans:
        out += field(11, varint(1 << 3) + zigzag(offset) + varint(2 << 3) + varint(length))
    return out + field(13, b"".join(struct.pack("<d", c) for c in counts)) + varint(15 << 3) + varint(ts)


def write_request(series):
    """series: (labels, [(ms, float | STALE | ("native", schema, buckets, zero, sum))])"""
    out = []
    for labels, samples in series:
        body = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        for ts, value in samples:
            if isinstance(value, tuple):
                body += field(4, native(ts, *value[1:]))
            else:
                body += field(2, double(1, value) + varint(2 << 3) + varint(ts))
        out.append(field(1, body))
    return b"".join(out)


def snappy(data):
    """The block format, with literals alone."""
    out = [varint(len(data))]
    for at in range(0, len(data), 1 << 16):
        part = data[at:at + (1 << 16)]
        out.append(bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part)
    return b"".join(out)


class Server:
    def __init__(self, name, port):
        self.name, self.port = name, port

    def request(self, method, path, body=None, headers=None):
        """Status, content type and body of an answer."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            c.request(method, path, body, headers or {})
            answer = c.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read()
        finally:
            c.close()

    def form(self, path, params):
        return self.request("POST", path, urllib.parse.urlencode(params, True), {"Content-Type": "application/x-www-form-urlencoded"})

    def write(self, series, slice_ms=300_000):
        """Sends samples, the oldest first."""
        times = [ts for _, samples in series for ts, _ in samples]
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}
        for begin in range(min(times), max(times) + 1, slice_ms):
            cut = [(labels, [s for s in samples if begin <= s[0] < begin + slice_ms]) for labels, samples in series]
            cut = [s for s in cut if s[1]]
            for at in range(0, len(cut), 5000):
                status, _, text = self.request("POST", "/api/v1/write", snappy(write_request(cut[at:at + 5000])), headers)
                if status // 100 != 2:
                    raise SystemExit(f"remote write to {self.name}: {status} {text[:300]}")


class Pair:
    """Both servers, for the time of a `with`."""

    def __init__(self, prometheus, watchfire, features="promql-experimental-functions,native-histograms", config="global: {}\n"):
        self.folder = tempfile.TemporaryDirectory()
        self.processes = []
        path = os.path.join(self.folder.name, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(config)
        self.theirs = self.start("prometheus", [prometheus], path, features)
        self.ours = self.start("watchfire", [watchfire, "serve"], path, features)

    def start(self, name, command, config, features):
        port = free_port()
        flags = [f"--config.file={config}", f"--storage.tsdb.path={self.folder.name}/{name}", f"--web.listen-address=127.0.0.1:{port}",
                 "--web.enable-remote-write-receiver", f"--enable-feature={features}"]
        log = open(os.path.join(self.folder.name, name + ".log"), "wb")
        self.processes.append(subprocess.Popen(command + flags, stdout=log, stderr=log))
        server = Server(name, port)
        for _ in range(1200):
            try:
                if server.request("GET", "/-/ready")[0] == 200:
                    return server
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"{name} does not start: {open(log.name, encoding='utf-8').read()[-1000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        self.folder.cleanup()
