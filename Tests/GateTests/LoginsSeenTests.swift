import IPC
import Testing

@testable import Exec
@testable import Gate

@Suite("Which ControlMasters are known to lead to the config's user")
struct LoginsSeenTests {
    private static let master = Master(socket: "/a", user: "u", address: "h")

    @Test func `a master is known by a command that has run, as long as the same process answers`() {
        var logins = LoginsSeen()
        logins.answers("/a", as: 7)
        #expect(!logins.isKnown(Self.master))
        logins.ran(Self.master)
        #expect(logins.isKnown(Self.master))
        #expect(!logins.isKnown(Master(socket: "/a", user: "other", address: "h")))
        logins.answers("/a", as: 7)
        #expect(logins.isKnown(Self.master))
        logins.answers("/a", as: 8)
        #expect(!logins.isKnown(Self.master))
        logins.ran(Self.master)
        logins.forget { $0 == "/a" }
        #expect(!logins.isKnown(Self.master))
    }

    @Test func `the line of a first command asks who runs it, in words that every login shell reads alike`() {
        let host = PolicySnapshot.Host(name: "box", socket: "/s", user: #"DOM\o'u!"#, host: "h")
        let command = GateCommand(host: "box", command: "id", seconds: 1, nonce: "abcd1234")
        let line = Observer.guardedLine(for: command, on: host)
        #expect(
            line.hasPrefix("exec /bin/sh -c '") && line.hasSuffix(Observer.line(for: command, on: host).dropFirst(5)))
        #expect(line.contains(#" 'DOM\0134o\0047u\0041' abcd1234 /usr/bin/env csd_s="#), "\(line)")
    }
}
