# Binds a Unix datagram socket and prints one JSON string a line for each datagram: what systemd would hear.
import array
import json
import os
import socket
import sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
# A leading @ stands for the abstract namespace, as in $NOTIFY_SOCKET.
path = sys.argv[1]
receiver.bind("\0" + path[1:] if path.startswith("@") else path)
print(json.dumps("bound"), flush=True)
while True:
    # systemd-notify passes a file descriptor along and waits until the receiver has closed it.
    data, ancillary, _, _ = receiver.recvmsg(65536, 4096)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors = array.array("i")
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
            for descriptor in descriptors:
                os.close(descriptor)
    print(json.dumps(data.decode()), flush=True)
