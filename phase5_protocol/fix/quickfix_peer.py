"""A client that is not ours: QuickFIX as initiator, in a process of its own, driven over pipes.

For the tests, which need somebody else's reading of the standard on the other side. Needs QuickFIX
(the ``interop`` extra). Each line of standard input is a command, each of standard output something
that happened, all in JSON::

    {"do": "send", "type": "D", "fields": [[11, "a1"], ...]}    send an application message
    {"do": "logout"} {"do": "logon"}                            as an operator would
    {"do": "sender", "number": 9} {"do": "target", ...}         set the next sequence number
    {"do": "stop"}                                              log out, and end the process

    {"event": "logon"} {"event": "logout"}
    {"event": "in", "type": "8", "fields": [[34, "2"], ...]}    received, of any type
    {"event": "out", ...}                                       as QuickFIX sends it
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

_SETTINGS = """\
[DEFAULT]
ConnectionType=initiator
NonStopSession=Y
HeartBtInt=5
ReconnectInterval=0
SocketNodelay=Y
LogonTimeout=5
LogoutTimeout=5
FileStorePath={store}
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
[SESSION]
BeginString={begin_string}
SenderCompID={sender}
TargetCompID={target}
"""


def say(event: str, **more: object) -> None:
    """One line of output; whole, whichever thread it comes from."""
    with _LOCK:
        sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
        sys.stdout.flush()


_LOCK = threading.Lock()


def split(raw: str) -> dict[str, Any]:
    """A message as QuickFIX prints it: its type, and its fields but for those of the frame."""
    pairs = [field.partition("=")[::2] for field in raw.rstrip("\x01").split("\x01")]
    fields = [[int(tag), value] for tag, value in pairs if tag not in ("8", "9", "35", "10")]
    return {"type": dict(pairs)["35"], "fields": fields}


def make_application(fix: Any) -> Any:
    """QuickFIX's application: it says everything."""

    class Application(fix.Application):  # type: ignore[misc]
        def onCreate(self, session: Any) -> None:
            self.session = session

        def onLogon(self, session: Any) -> None:
            say("logon")

        def onLogout(self, session: Any) -> None:
            say("logout")

        def toAdmin(self, message: Any, session: Any) -> None:
            say("out", **split(message.toString()))

        def toApp(self, message: Any, session: Any) -> None:
            say("out", **split(message.toString()))

        def fromAdmin(self, message: Any, session: Any) -> None:
            say("in", **split(message.toString()))

        def fromApp(self, message: Any, session: Any) -> None:
            say("in", **split(message.toString()))

    return Application()


def obey(fix: Any, session_id: Any, command: dict[str, Any]) -> None:
    """One command."""
    session = fix.Session.lookupSession(session_id)
    if command["do"] == "send":
        message = fix.Message()
        message.getHeader().setField(fix.StringField(35, command["type"]))
        for tag, value in command["fields"]:
            part = message.getHeader() if tag in (43, 97, 122) else message
            part.setField(fix.StringField(tag, value))
        fix.Session.sendToTarget(message, session_id)
    elif command["do"] == "logout":
        session.logout()
    elif command["do"] == "logon":
        session.logon()
    elif command["do"] == "sender":
        session.setNextSenderMsgSeqNum(command["number"])
    elif command["do"] == "target":
        session.setNextTargetMsgSeqNum(command["number"])


def main(begin_string: str, sender: str, target: str, port: str, store: str, *more: str) -> None:
    """Run until told to stop, or until nobody is there to tell; ``more`` are lines of settings."""
    import quickfix as fix

    settings = Path(store) / "settings.cfg"
    lines = _SETTINGS.format(
        store=store, port=port, begin_string=begin_string, sender=sender, target=target
    )
    settings.write_text(lines + "".join(f"{line}\n" for line in more))
    application = make_application(fix)
    configured = fix.SessionSettings(str(settings))
    initiator = fix.SocketInitiator(application, fix.FileStoreFactory(configured), configured)
    initiator.start()
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "stop":
            break
        obey(fix, application.session, command)
    initiator.stop()
    say("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
