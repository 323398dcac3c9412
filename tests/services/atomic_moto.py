"""moto's S3 server, one request at a time: it looks for a key and stores it in two steps, where S3 needs one.

Run as ``python -m tests.services.atomic_moto PORT``.
"""

import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app, run_simple


def one_at_a_time(app):
    lock = threading.Lock()

    def answer(environ, start_response):
        with lock:
            return list(app(environ, start_response))

    return answer


if __name__ == "__main__":
    app = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
