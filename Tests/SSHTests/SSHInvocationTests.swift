import IPC
import Testing

@testable import SSH

@Suite("ssh command lines")
struct SSHInvocationTests {
    static func host(socket: String = "/tmp/s", user: String = "u", host: String = "h") -> PolicySnapshot.Host {
        PolicySnapshot.Host(name: "a", socket: socket, user: user, host: host)
    }

    @Test func `the destination stands behind the end of options, and the ticket is what is to be run`() {
        let session = SSHInvocation.session("u@h", ticket: "t1", isSubsystem: false)
        #expect(session.suffix(3) == ["--", "u@h", "t1"] && !session.contains("-s"))
        #expect(SSHInvocation.session("u@h", ticket: "t1", isSubsystem: true).suffix(4) == ["-s", "--", "u@h", "t1"])
        #expect(session.prefix(2) == ["-S", SSHInvocation.socket])
    }

    private static let alive = "-o ServerAliveInterval=15 -o ServerAliveCountMax=3"

    @Test func `the path of the socket is complete: ssh must not expand a percent sign in it`() {
        let host = Self.host(socket: "/s/100%h")
        #expect(SSHInvocation.masterCommand(host) == "ssh -M -S /s/100%%h -fN \(Self.alive) u@h")
        var other = host
        other.port = 2222
        #expect(SSHInvocation.masterCommand(other) == "ssh -M -S /s/100%%h -fN \(Self.alive) -p 2222 u@h")
        other.jump = "j@a:22,b"
        other.sshConfigHost = "my box"
        #expect(
            SSHInvocation.masterCommand(other)
                == "ssh -M -S /s/100%%h -fN \(Self.alive) -p 2222 -J j@a:22,b 'my box'")
    }

    @Test func `no invocation can connect by itself`() {
        for arguments in [
            SSHInvocation.session("u@h", ticket: "t1", isSubsystem: false),
            SSHInvocation.session("u@h", ticket: "t1", isSubsystem: true),
        ] {
            let options = zip(arguments, arguments.dropFirst()).filter { $0.0 == "-o" }.map(\.1)
            #expect(options.contains("ProxyCommand=/nonexistent"))
            #expect(options.contains("ControlMaster=no") && options.contains("ClearAllForwardings=yes"))
            #expect(options.contains("BatchMode=yes"))
            #expect(options.contains("IdentityFile=none") && options.contains("IdentityAgent=none"))
            #expect(zip(arguments, arguments.dropFirst()).contains { $0 == ("-F", "none") })
            #expect(arguments.contains("-T") && arguments.contains("-a") && arguments.contains("-x"))
        }
        #expect(SSHInvocation.environment.keys.sorted() == ["LANG", "PATH"])
    }

    @Test func `signals have their names`() {
        #expect(SignalName.of(exitStatus: 137) == "SIGKILL")
        #expect(SignalName.of(exitStatus: 143) == "SIGTERM")
        #expect(SignalName.of(exitStatus: 162) == "SIG34")
        for status in [0, 1, 127, 128, 193, 255, -1] { #expect(SignalName.of(exitStatus: status) == nil) }
    }

    @Test func `the command for the user quotes what needs it`() {
        let host = Self.host(socket: "/tmp/my sock", user: "ann", host: "h.example.com")
        #expect(SSHInvocation.masterCommand(host) == "ssh -M -S '/tmp/my sock' -fN \(Self.alive) ann@h.example.com")
    }
}
