# SPDX-License-Identifier: GPL-3.0-or-later
"""POST /api/v1/write: what others send, who may, and what they are told."""

import http.client
import os
import socket
import tempfile
import unittest

import fakedaemon
import procfs
import remotewrite
import vherd

TOKEN = "a-token-of-some-length"
V1 = "application/x-protobuf"
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
UP = {"__name__": "up", "job": "a"}


class Receiving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="vherd-token-")
        cls.token = os.path.join(cls.directory, "token")
        with open(cls.token, "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        cls.daemon = fakedaemon.FakeDaemon({"receive": {"enabled": True, "token_file": cls.token,
                                                        "max_body": "64K"}})
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()
        os.unlink(cls.token)
        os.rmdir(cls.directory)

    def tearDown(self):
        self.assertEqual(self.daemon.fake_processes()["web"]["restarts"], 0, self.daemon.log())

    def post(self, body, content_type=V1, token=TOKEN, path="/api/v1/write", **headers):
        given = {"Content-Type": content_type, "Content-Encoding": "snappy"}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        given.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=20)
        try:
            connection.request("POST", path, body, headers=given)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def taken(self):
        return self.daemon.tcp("/samples")[2].split("\n")

    def check_written(self, headers, samples):
        self.assertEqual(headers["X-Prometheus-Remote-Write-Samples-Written"], str(samples))
        self.assertEqual(headers["X-Prometheus-Remote-Write-Histograms-Written"], "0")
        self.assertEqual(headers["X-Prometheus-Remote-Write-Exemplars-Written"], "0")

    def test_version_1(self):
        body = remotewrite.encode_1([(UP, [(1000, 1.5), (2000, 2)])], [(2, "up", "Is it?", "")])
        status, headers, text = self.post(body)
        self.assertEqual((status, text), (204, ""))
        self.check_written(headers, 2)
        seen = self.taken()
        self.assertIn("__name__=up job=a 1.5 @1000", seen)
        self.assertIn("__name__=up job=a 2 @2000", seen)
        self.assertIn("family up gauge Is it?", seen)

    def test_version_2(self):
        body = remotewrite.encode_2([(dict(UP, v="2"), [(3000, 7)])])
        status, headers, _ = self.post(body, V2)
        self.assertEqual(status, 204)
        self.check_written(headers, 1)
        self.assertIn("__name__=up job=a v=2 7 @3000", self.taken())

    def test_nothing_at_all(self):
        self.assertEqual(self.post(remotewrite.encode_1([]))[0], 204)
        self.assertEqual(self.post(b"")[0], 400)

    def test_a_connection_goes_on(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=20)
        headers = {"Content-Type": V1, "Content-Encoding": "snappy",
                   "Authorization": f"Bearer {TOKEN}"}
        for k in range(5):
            connection.request("POST", "/api/v1/write", remotewrite.encode_1([(UP, [(k, k)])]),
                               headers=headers)
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, 204)
        connection.close()

    def test_some_refused(self):
        series = [(dict(UP, n="1"), [(1, 1)]), (dict(UP, refuse="1"), [(1, 1)]),
                  ({"job": "nameless"}, [(1, 1)])]
        for content_type, encode in ((V1, remotewrite.encode_1), (V2, remotewrite.encode_2)):
            status, headers, text = self.post(encode(series), content_type)
            self.assertEqual(status, 400)
            self.check_written(headers, 1)
            self.assertIn("1 series refused: a series without a metric's name", text)
            self.assertIn("1 samples refused: told to", text)

    def test_token(self):
        body = remotewrite.encode_1([(UP, [(1, 1)])])
        for token in (None, "", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()):
            status, headers, _ = self.post(body, token=token)
            self.assertEqual(status, 401, token)
            self.assertEqual(headers["WWW-Authenticate"], "Bearer")
        self.assertEqual(self.post(body, token=None, Authorization=f"Basic {TOKEN}")[0], 401)

    def test_wrong_content(self):
        body = remotewrite.encode_1([(UP, [(1, 1)])])
        self.assertEqual(self.post(body, "application/json")[0], 415)
        self.assertEqual(self.post(body, V1 + ";proto=unknown")[0], 415)
        self.assertEqual(self.post(body, Content_Encoding="gzip")[0], 415)
        self.assertEqual(self.post(b"not snappy at all")[0], 400)
        self.assertEqual(self.post(remotewrite.snappy_encode(b"\x0a\x7fxx"))[0], 400)

    def test_too_large(self):
        self.assertEqual(self.post(b"\0" * 70000)[0], 413)
        # 4 GiB once unpacked, says its first bytes.
        self.assertEqual(self.post(b"\xff\xff\xff\xff\x0f" + b"\0" * 100)[0], 413)

    def test_chunked_without_a_length(self):
        body = remotewrite.encode_1([(dict(UP, chunked="1"), [(1, 1)])])
        head = (f"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
                f"Content-Type: {V1}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        self.assertIn(b" 204 ", self.daemon.raw(head.encode() + chunk).split(b"\r\n")[0])
        self.assertIn("__name__=up chunked=1 job=a 1 @1", self.taken())
        endless = b"10000\r\n" + b"\0" * 65536 + b"\r\n"
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=20) as peer:
            with self.assertRaises(OSError):
                peer.sendall(head.encode())
                for _ in range(200):
                    peer.sendall(endless)
                raise OSError if peer.recv(10) == b"" else AssertionError("still open")

    def test_elsewhere_bodies_stay_refused(self):
        body = remotewrite.encode_1([])
        self.assertEqual(self.post(body, path="/vherd/v1/host")[0], 405)
        self.assertEqual(self.post(body, path="/vherd/v1/vms")[0], 415)
        self.assertEqual(self.post(body, path="/api/v1/write/")[0], 405)

    def test_many_large_ones_cost_bounded_memory(self):
        pid = self.daemon.fake_processes()["web"]["pid"]
        series = [(dict(UP, i=str(i)), [(1, i)]) for i in range(800)]
        body = remotewrite.encode_1(series)
        self.assertLess(len(body), 65536)
        self.assertEqual(self.post(body)[0], 204)
        before = procfs.pss_bytes(pid)
        for _ in range(50):
            self.assertEqual(self.post(body)[0], 204)
        self.assertLess(procfs.pss_bytes(pid) - before, 16 << 20)


class Off(unittest.TestCase):
    def test_off_by_default(self):
        with fakedaemon.FakeDaemon() as daemon:
            status, _, text = vherd.http_get("/api/v1/write", tcp=("127.0.0.1", daemon.port),
                                             method="POST", headers={"Content-Length": "0"})
            self.assertEqual(status, 404)
            self.assertIn("receive.enabled", text)

    def test_needs_a_token(self):
        daemon = fakedaemon.FakeDaemon({"receive": {"enabled": True}})
        try:
            daemon.start(wait=False)
            self.assertEqual(daemon.process.wait(15), 1)
            self.assertIn("receive.enabled needs receive.token_file", daemon.log())
        finally:
            daemon.process = None
            daemon.close()
