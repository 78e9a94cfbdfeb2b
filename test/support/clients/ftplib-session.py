"""One ftplib session, told what to do by JSON on standard input; prints the dialogue."""

import ftplib
import json
import os
import ssl
import sys

task = json.load(sys.stdin)
tls = task.get("tls")
if tls is None:
    ftp = ftplib.FTP(timeout=20)
else:
    ftp = ftplib.FTP_TLS(timeout=20, context=ssl.create_default_context(cafile=tls["ca"]))
ftp.set_debuglevel(1)
# Otherwise ftplib connects to the control address, whatever address the 227 carries.
ftp.trust_server_pasv_ipv4_address = True
ftp.connect(task["server"]["address"], task["server"]["port"])
ftp.login(task["account"]["user"], task["account"]["password"])
if tls is not None:
    ftp.prot_p()
ftp.set_pasv(task["mode"] in ("PASV", "EPSV"))


def download(remote, local, offset=None):
    with open(local, "ab" if offset else "wb") as file:
        ftp.retrbinary(f"RETR {remote}", file.write, blocksize=65536, rest=offset)


def upload(local, remote, offset=None):
    with open(local, "rb") as file:
        file.seek(offset or 0)
        ftp.storbinary(f"STOR {remote}", file, blocksize=65536, rest=offset)


for step in task["steps"]:
    kind, remote, local = step["kind"], step["remote"], step.get("local")
    if kind == "download":
        download(remote, local)
    elif kind == "resumeDownload":
        download(remote, local, os.path.getsize(local))
    elif kind == "upload":
        upload(local, remote)
    elif kind == "resumeUpload":
        ftp.voidcmd("TYPE I")
        upload(local, remote, ftp.size(remote))
    elif kind == "list":
        with open("listing.txt", "w", encoding="latin-1") as file:
            ftp.retrlines(f"LIST {remote}", lambda line: file.write(line + "\n"))
ftp.quit()
