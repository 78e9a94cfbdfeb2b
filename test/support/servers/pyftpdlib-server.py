"""pyftpdlib with one user, told what to do by the JSON in FTP_SERVER."""

import json
import os

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import MultiprocessFTPServer

told = json.loads(os.environ["FTP_SERVER"])
refused = {"both": [], "active-only": ["PASV", "EPSV"], "passive-only": ["PORT", "EPRT"]}[told["modes"]]

authorizer = DummyAuthorizer()
authorizer.add_user(told["user"], told["password"], told["home"], perm="elradfmwMT")


class Handler(FTPHandler):
    proto_cmds = {verb: what for verb, what in FTPHandler.proto_cmds.items() if verb not in refused}


Handler.authorizer = authorizer
Handler.passive_ports = range(told["first"], told["last"] + 1)
Handler.auth_failed_timeout = 1
# A process for each session: in one process, pyftpdlib 1.5.7 takes a stale descriptor of one session's PORT out of
# its event loop when the next PORT comes, and with it the data connection of the session that has the number now.
MultiprocessFTPServer((told["address"], told["port"]), Handler).serve_forever()
