# Joins its standard input and output with a TCP connection; ends when the other side has closed.
import socket
import sys
import threading

connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
connection.settimeout(None)


def send():
    for line in sys.stdin.buffer:
        connection.sendall(line)


threading.Thread(target=send, daemon=True).start()
while data := connection.recv(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
