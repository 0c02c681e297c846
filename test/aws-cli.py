"""The AWS CLI of this machine, imported once: for each command a process is forked, which saves most of the half second that a start takes.

Usage: python3 aws-cli.py FOLDER. Writes the command FOLDER/aws, then a line; serves until its standard input ends.
"""
import importlib
import json
import os
import select
import signal
import socket
import sys

import awscli
import awscli.clidriver

CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b'.'], [0, 1, 2])
    server.sendall(json.dumps([os.getcwd(), dict(os.environ), sys.argv[1:]]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(16) or 1))
"""


def run(connection):
    """Does what a start of the command would, with the caller's arguments, environment, folder and standard streams."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    with connection.makefile('rb') as request:
        folder, environment, arguments = json.load(request)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # It sets AWS_DATA_PATH.
    importlib.reload(awscli)
    sys.argv = ['aws', *arguments]
    try:
        status = awscli.clidriver.main()
    except SystemExit as end:
        status = end.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(str(status).encode())
    os._exit(0)


def serve(folder):
    address = os.path.join(folder, 'aws.socket')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    with open(os.open(os.path.join(folder, 'aws'), os.O_WRONLY | os.O_CREAT, 0o755), 'w') as client:
        client.write(CLIENT.format(python=sys.executable, address=address))
    # Nobody waits for the processes.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print('ready', flush=True)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            run(connection)
        connection.close()


serve(sys.argv[1])
