# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the README's example: answers datagrams with what they hold."""

import argparse
import socket

parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
with open(parser.parse_args().config, encoding="utf-8") as config:
    port = int(config.read().partition("=")[2])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", port))
    while True:
        server.sendto(*server.recvfrom(4096))
