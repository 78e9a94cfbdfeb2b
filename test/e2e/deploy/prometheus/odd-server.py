# An FTP server that names an endpoint nobody asked for, which no real one does.
import socket
import sys

listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listening", flush=True)
replies = {
    b"USER": b"331 Password, please.",
    b"PASS": b"230 Welcome.",
    b"NOOP": b"227 Entering Passive Mode (10,0,0,5,19,137).",
}
while True:
    connection, _ = listener.accept()
    connection.sendall(b"220 odd\r\n")
    for line in connection.makefile("rb"):
        connection.sendall(replies.get(line[:4].upper(), b"500 What?") + b"\r\n")
