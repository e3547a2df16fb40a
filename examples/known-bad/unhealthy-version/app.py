"""Answer every request with the version; from 2.0.0 on, with a defect."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ["VERSION"]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if VERSION.startswith("1.") else 503)
        self.end_headers()
        self.wfile.write(f"{VERSION}\n".encode())


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("", 8080), Answer).serve_forever()
