# Runs a program as systemd does with RestrictAddressFamilies=: socket(2) of any other family fails with EAFNOSUPPORT.
#   python3 address-families.py AF_INET,AF_UNIX COMMAND [ARGUMENT ...]
import ctypes
import errno
import os
import platform
import socket
import struct
import sys

SOCKET_CALL = {"x86_64": 41, "aarch64": 198}[platform.machine()]
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16

families = [int(getattr(socket, name)) for name in sys.argv[1].split(",")]
program = [(LOAD, 0, 0, NUMBER), (IF_EQUAL, 1, 0, SOCKET_CALL), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, FIRST_ARGUMENT)]
for family in families:
    program += [(IF_EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]
program.append((RETURN, 0, 0, FAIL))

code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
head = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[2], sys.argv[2:])
