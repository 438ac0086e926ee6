#!/usr/bin/env python3
"""Writes a line for every packet on a link, but ARP and neighbour discovery.

    capture.py LINK FILE READY
"""
import socket
import struct
import sys

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp", 136: "udplite"}


def describe(kind, data):
    """None: of no interest."""
    if kind == 0x0800 and len(data) >= 20:
        length = (data[0] & 15) * 4
        addresses = [socket.inet_ntop(socket.AF_INET, data[at:at + 4]) for at in (12, 16)]
        protocol, rest = data[9], data[length:]
    elif kind == 0x86dd and len(data) >= 40:
        addresses = [socket.inet_ntop(socket.AF_INET6, data[at:at + 16]) for at in (8, 24)]
        protocol, rest = data[6], data[40:]
        # discovery, listener reports, router solicitations: the kernel's own
        if protocol in (0, 58):
            return None
    else:
        return None if kind == 0x0806 else f"frame 0x{kind:04x}"
    name = PROTOCOLS.get(protocol, str(protocol))
    ports = struct.unpack("!HH", rest[:4]) if protocol in (6, 17, 132, 136) and len(rest) >= 4 else ("", "")
    if protocol == 2:  # IGMP, the kernel's own
        return None
    return f"{name} {addresses[0]} {ports[0]} -> {addresses[1]} {ports[1]}"


def main():
    link, path, ready = sys.argv[1:]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as packets, \
            open(path, "a", buffering=1, encoding="utf-8") as file:
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        packets.bind((link, 0))
        with open(ready, "w", encoding="utf-8"):
            pass
        while True:
            try:
                data, _ = packets.recvfrom(65536)
            except OSError:
                return
            line = describe(struct.unpack("!H", data[12:14])[0], data[14:])
            if line:
                file.write(line + "\n")


main()
