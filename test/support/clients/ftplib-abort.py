"""Aborts a download with ftplib, then downloads another file in the same session; JSON task on standard input."""

import ftplib
import json
import sys

task = json.load(sys.stdin)
ftp = ftplib.FTP(timeout=20)
ftp.set_debuglevel(1)
ftp.trust_server_pasv_ipv4_address = True
ftp.connect(task["server"]["address"], task["server"]["port"])
ftp.login(task["account"]["user"], task["account"]["password"])
ftp.set_pasv(task["mode"] in ("PASV", "EPSV"))
ftp.voidcmd("TYPE I")
received = 0
with open(task["large"]["local"], "wb") as file, ftp.transfercmd(f"RETR {task['large']['remote']}") as data:
    while received < 1_000_000:
        received += file.write(data.recv(65536))
    # Sends ABOR with its last byte urgent and reads one reply.
    first = ftp.abort()
# After 426 the reply to ABOR itself is still to come; 225 and 226 are that reply already.
if first.startswith("426"):
    print("then", ftp.getresp())
with open(task["small"]["local"], "wb") as file:
    ftp.retrbinary(f"RETR {task['small']['remote']}", file.write)
ftp.quit()
