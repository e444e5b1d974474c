import IPC
import Testing

@testable import Mux

/// What the gate says to a master, byte by byte as PROTOCOL.mux has it, and what it takes from a worker's `ssh`.
@Suite struct MuxRequestTests {
    @Test func `HELLO and ALIVE_CHECK are as the protocol has them`() {
        #expect(MuxRequest.hello.encoded() == .fields(8, 1, 4))
        #expect(MuxRequest.aliveCheck(request: 7).encoded() == .fields(8, 0x1000_0004, 7))
    }

    @Test func `NEW_SESSION asks for no terminal, X11, agent, escape character, TERM or environment`() throws {
        let command = try MuxRequest.newSession(request: 7, session("true")).encoded()
        #expect(
            command == .fields(44, 0x1000_0002, 7, 0, 0, 0, 0, 0, 0xFFFF_FFFF, 0, 4) + Array("true".utf8))
        let subsystem = try MuxRequest.newSession(request: 7, session("sftp", isSubsystem: true)).encoded()
        #expect(
            subsystem == .fields(44, 0x1000_0002, 7, 0, 0, 0, 0, 1, 0xFFFF_FFFF, 0, 4) + Array("sftp".utf8))
    }

    @Test func `forwards listen on 127_0_0_1 and lead to an address or to a socket of the host`() throws {
        let tcp = try #require(MuxForward(listenPort: 8080, target: .tcp(host: "db.internal", port: 5432)))
        let fields =
            [UInt8].fields(7, 1) + .text("127.0.0.1") + .fields(8080) + .text("db.internal") + .fields(5432)
        #expect(MuxRequest.openForward(request: 7, tcp).encoded() == (.fields(0x1000_0006) + fields).framed)
        #expect(MuxRequest.closeForward(request: 7, tcp).encoded() == (.fields(0x1000_0007) + fields).framed)
        let socket = try #require(MuxForward(listenPort: 8080, target: .unix(path: "/run/x.sock")))
        #expect(
            MuxRequest.openForward(request: 7, socket).encoded()
                == ([UInt8].fields(0x1000_0006, 7, 1) + .text("127.0.0.1") + .fields(8080) + .text("/run/x.sock")
                + .fields(0xFFFF_FFFE)).framed)
    }

    @Test func `what no master takes, or takes for something else, cannot be made`() {
        #expect(MuxSession(command: "") == nil)
        #expect(MuxSession(command: "a\0b") == nil)
        let longest = String(repeating: "x", count: MuxSession.maximumCommand)
        #expect(MuxSession(command: longest) != nil)
        #expect(MuxSession(command: longest + "x") == nil)
        for host in ["", "-oX", "a b", "a/b", "a\0", "[::1]", String(repeating: "a", count: 254)] {
            #expect(MuxForward(listenPort: 1, target: .tcp(host: host, port: 1)) == nil, "\(host)")
        }
        #expect(MuxForward(listenPort: 1, target: .tcp(host: "::1", port: 1)) != nil)
        #expect(MuxForward(listenPort: 0, target: .tcp(host: "a", port: 1)) == nil)
        #expect(MuxForward(listenPort: 1, target: .tcp(host: "a", port: 0)) == nil)
        for path in ["", "relative", "/a\0b", "/" + String(repeating: "a", count: 107)] {
            #expect(MuxForward(listenPort: 1, target: .unix(path: path)) == nil, "\(path)")
        }
    }

    @Test func `the longest request fits into what a master takes`() throws {
        let longest = try session(String(repeating: "x", count: MuxSession.maximumCommand))
        let message = MuxRequest.newSession(request: .max, longest).encoded()
        #expect(message.count <= MuxProtocol.maximumRequest + 4)
        let taken = try SSHRequest.decode(message[4...])
        #expect(taken == .newSession(request: .max, longest))
    }

    @Test func `an ssh may say hello, ask whether the master lives, and open a session`() throws {
        #expect(try SSHRequest.decode([UInt8].fields(1, 4)[...]) == .hello(version: 4))
        let extended = [UInt8].fields(1, 4) + .text("info") + .text("0")
        #expect(try SSHRequest.decode(extended[...]) == .hello(version: 4))
        #expect(try SSHRequest.decode([UInt8].fields(0x1000_0004, 9)[...]) == .aliveCheck(request: 9))
        for session in [try session("ticket"), try session("sftp", isSubsystem: true)] {
            let message = MuxRequest.newSession(request: 9, session).encoded()
            #expect(try SSHRequest.decode(message[4...]) == .newSession(request: 9, session))
        }
        // reserved and TERM are the client's own affair.
        let named =
            [UInt8].fields(0x1000_0002, 9) + .text("x") + .fields(0, 0, 0, 0, 0xFFFF_FFFF) + .text("xterm") + .text("t")
        #expect(try SSHRequest.decode(named[...]) == .newSession(request: 9, session("t")))
    }

    @Test(arguments: RefusedRequest.allCases)
    func `all else that OpenSSH's master can do is refused by name`(request: RefusedRequest) {
        for rest in [[], [UInt8].fields(1), [UInt8].fields(1, 1) + .text("127.0.0.1") + .fields(80)] {
            let message = [UInt8].fields(request.rawValue) + rest
            #expect(
                SSHRequest.violation(in: message[...])
                    == .refusedRequest(request))
        }
    }

    @Test func `each flag and field of a session that the gate would not ask for is refused`() {
        func refusal(_ flags: [UInt32], escape: UInt32 = .max, command: [UInt8] = .text("t"), rest: [UInt8] = [])
            -> MuxViolation?
        {
            let message =
                [UInt8].fields(0x1000_0002, 9) + .text("") + flags.flatMap { [UInt8].fields($0) } + .fields(escape)
                + .text("") + command + rest
            return SSHRequest.violation(in: message[...])
        }
        #expect(refusal([0, 0, 0, 0]) == nil)
        #expect(refusal([1, 0, 0, 0]) == .badValue("terminal"))
        #expect(refusal([0, 1, 0, 0]) == .badValue("X11"))
        #expect(refusal([0, 0, 1, 0]) == .badValue("agent"))
        #expect(refusal([0, 0, 0, 2]) == .badValue("subsystem"))
        #expect(refusal([0, 0, 0, 0], escape: 126) == .badValue("escape character"))
        #expect(refusal([0, 0, 0, 0], command: .text("")) == .badValue("command"))
        #expect(refusal([0, 0, 0, 0], command: .text("a\0")) == .badText)
        #expect(refusal([0, 0, 0, 0], command: [0, 0, 0, 1, 0xFF]) == .badText)
        #expect(refusal([0, 0, 0, 0], command: .fields(.max)) == .truncated)
        #expect(refusal([0, 0, 0, 0], rest: .text("LD_PRELOAD=/tmp/x.so")) == .badValue("environment"))
        #expect(refusal([0, 0, 0, 0], rest: [0]) == .badValue("environment"))
    }

    @Test func `a cut request, or one with bytes behind it, is refused`() throws {
        let messages = [
            [UInt8].fields(0x1000_0004, 9),
            Array(try MuxRequest.newSession(request: 9, session("true")).encoded()[4...]),
        ]
        for message in messages {
            for end in 0..<message.count {
                #expect(
                    SSHRequest.violation(in: message[..<end]) == .truncated)
            }
        }
        let surplus = [UInt8].fields(0x1000_0004, 9) + [0]
        #expect(SSHRequest.violation(in: surplus[...]) == .trailingBytes(1))
    }
}
