"""An application that isn't written in Node: it answers each request with what arrived of it."""

import base64
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0

    def answer(self):
        Echo.count += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = {
            "count": Echo.count,
            "method": self.command,
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "sha256": hashlib.sha256(body).hexdigest(),
            "connection": self.client_address[1],
        }
        text = json.dumps(seen).encode()
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", self.headers["Upgrade"])
            # RFC 6455: some gateways check it.
            key = self.headers.get("Sec-WebSocket-Key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
            self.end_headers()
            self.close_connection = True
        else:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.send_header("X-Method", self.command)
            self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, *_):
        pass


for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    setattr(Echo, f"do_{method}", Echo.answer)


class Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        # Gateways end connections that they no longer need.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*_)


server = Server(("127.0.0.1", 0), Echo)
print(server.server_port, flush=True)
server.serve_forever()
