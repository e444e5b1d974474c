import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// A hostile worker says every message in every state, and what is no message, to supervisor, gate and file broker.
///
/// Shown elsewhere: floods of the supervisor, silence, a channel that lives on in another process, an end with a thousand open calls
/// (`HostileWorkerTests`); that a worker in line has no other descriptor, and floods there (`ClientsInLineTests`); every message in every
/// phase against the table in CONTRIBUTING, without processes (`PermissionTests`).
@Suite struct WorkerMessageAttackTests {
    // MARK: Its own messages, in every state

    /// How far the conversation is.
    private enum State: CaseIterable {
        case starting, listening, unheard, inLine, serving, reloaded, released

        /// Whether the puppet has the place, or had it.
        var hasPlace: Bool {
            switch self {
            case .starting, .listening, .unheard, .inLine: false
            case .serving, .reloaded, .released: true
            }
        }
    }

    /// Everything that a worker can say, and in which states it may: before it is ready, with its client's first bytes, with a client
    /// that sent no whole request, in line, with the place and the gate, after a reload, and after its client has gone.
    private static let own: [(name: String, message: ToSupervisor, cells: String)] = {
        let call = AuditCall(tool: "ssh_exec", host: "box", fields: [])
        let end = AuditOutcome(rule: "", ending: .ok, exitCode: nil, bytesIn: 0, bytesOut: 0)
        return [
            ("ready", .life(.ready(landlockABI: 6)), "yes no no no no no no"),
            ("client gone", .life(.clientGone), "no yes yes yes yes yes yes"),
            ("client dropped", .life(.clientDropped(reason: "it lies")), "no yes yes yes yes yes yes"),
            ("client unheard", .life(.clientUnheard), "no yes no no no no yes"),
            ("client speaks", .life(.clientSpeaks), "no yes yes no no no yes"),
            ("client named", .life(.clientNamed("x")), "no no no yes yes yes yes"),
            ("call waited", .life(.callWaited), "no no no yes yes yes yes"),
            ("open a file", .files(.open(path: "/etc/passwd")), "no no no no yes yes yes"),
            ("make a file", .files(.create(path: "/tmp/csd-never")), "no no no no yes yes yes"),
            ("name a file", .files(.commit(handle: 7, mode: 0o644)), "no no no no yes yes yes"),
            ("drop a file", .files(.abandon(handle: 7)), "no no no no yes yes yes"),
            ("begin a call", .audit(.begin(call)), "no no no no yes yes yes"),
            ("end a call that did not begin", .audit(.end(end)), "no no no no no no no"),
            (
                "ask for a forward",
                .forwards(.request(host: "box", target: .tcp(host: "db", port: 1), localPort: 0, call: 9)),
                "no no no no yes yes yes"
            ),
            ("list forwards", .forwards(.list), "no no no no yes yes yes"),
            ("cancel a forward", .forwards(.cancel(forward: 9, localPort: 0, host: "")), "no no no no yes yes yes"),
            ("a wrong pattern", .patterns(.invalid(index: 0, reason: "")), "no no no no no no no"),
            ("patterns checked", .patterns(.checked(mistakes: 0)), "no no no no no no no"),
        ]
    }()

    /// A packet of no version that there is: it ends whoever sends it, so the log says whether what came before it was taken.
    private static let last: [UInt8] = [99]

    @Test("each message of a worker in each state is taken, or ends it, and nobody else notices")
    func own() throws {
        let stage = try AttackStage()
        defer { stage.stop() }
        let states = "starting, first bytes, unheard, in line, with the gate, after a reload, client gone"
        let table = AttackTable("A worker says each of its messages to the supervisor: is it taken? (\(states))")
        var cells: [String: [State: String]] = [:]
        // An honest client has the place while the first four states are gone through, and is served all the time.
        let holder = try stage.daemon.connect()
        for (name, message, _) in Self.own {
            for state in State.allCases where !state.hasPlace {
                cells[name, default: [:]][state] = try Self.taken(message, in: state, stage)
            }
            #expect(try holder.callTool("ssh_exec", ["command": "echo on"])["stdout"] == "on\n")
        }
        holder.closeAbruptly()
        for (name, message, _) in Self.own {
            for state in State.allCases where state.hasPlace {
                cells[name, default: [:]][state] = try Self.taken(message, in: state, stage)
            }
        }
        for (name, _, expected) in Self.own {
            table.row(name, expected) { State.allCases.map { cells[name]?[$0] ?? "?" }.joined(separator: " ") }
        }
        table.row("afterwards", "the daemon serves, nothing is left") {
            let client = try stage.daemon.connect()
            let result = try client.callTool("ssh_exec", ["command": "echo on"])
            client.closeAbruptly()
            return (result["stdout"] == "on\n" ? "the daemon serves" : "\(result)")
                + (stage.aftermath().isEmpty ? ", nothing is left" : stage.aftermath())
        }
        table.finish()
    }

    /// Says a message in a state, and then what ends a worker in each state; says which of the two has.
    private static func taken(_ message: ToSupervisor, in state: State, _ stage: AttackStage) throws -> String {
        let puppet = try stage.puppet()
        defer {
            puppet.leave()
            puppet.client.closeAbruptly()
        }
        switch state {
        case .starting: break
        case .listening: try puppet.supervisor.say(ToSupervisor.life(.ready(landlockABI: 6)))
        case .unheard:
            try puppet.supervisor.say(ToSupervisor.life(.ready(landlockABI: 6)))
            try puppet.supervisor.say(ToSupervisor.life(.clientUnheard))
        case .inLine:
            try puppet.supervisor.say(ToSupervisor.life(.ready(landlockABI: 6)))
            try puppet.supervisor.say(ToSupervisor.life(.clientSpeaks))
            let told = try puppet.supervisor.hear(ToWorker.self) { word, _, _ in word == .life(.wait) ? true : nil }
            guard told == true else { throw HarnessError("it is not in line") }
        case .serving: try puppet.takePlace()
        case .reloaded:
            try puppet.takePlace()
            try stage.reload(["client_wait_seconds": .int(Int.random(in: 500...900))])
            let told = try puppet.supervisor.hear(ToWorker.self) { word, _, _ in word == .life(.policy) ? true : nil }
            guard told == true else { throw HarnessError("it is not told of the new policy") }
        case .released:
            try puppet.takePlace()
            puppet.client.closeAbruptly()
            // The place goes on when the supervisor has seen that.
            let next = try stage.daemon.connect()
            guard try next.callTool("ssh_connection_status")["hosts"] != nil else {
                throw HarnessError("the place does not go on")
            }
            next.closeAbruptly()
        }
        try puppet.supervisor.say(message, 77)
        puppet.supervisor.send(last)
        let how = try stage.end(of: puppet)
        if how == "it broke the protocol (a message ends within a field)" { return "yes" }
        return how == "it sent a message out of turn" || how == "it spoke of a call out of turn" ? "no" : how
    }

    // MARK: The messages of others

    @Test("the messages of the others end a worker, and its gate takes none of them")
    func foreign() throws {
        let stage = try AttackStage()
        defer { stage.stop() }
        let table = AttackTable("A worker with the place says the messages of the others")
        func name(_ message: some Any) -> String {
            var value: Any = message
            var words: [String] = []
            while let child = Mirror(reflecting: value).children.first, let label = child.label, !label.hasPrefix(".") {
                words.append(label)
                value = child.value
            }
            if words.isEmpty { words = ["\(value)"] }
            return words.joined(separator: ".").prefix { $0 != "(" }.description
        }
        /// What each of these does, where it is not the end for what it is.
        func survivors(
            _ kinds: [some IPCMessage], _ send: (Puppet, [UInt8]) -> Void
        ) throws -> String {
            var others: [String] = []
            for kind in kinds {
                let packet = try kind.encoded(requestID: 5)
                let seen = try stage.hijack { puppet in
                    send(puppet, packet)
                    return try stage.verdict(puppet)
                }
                let isForIt =
                    seen.hasPrefix("ended: it broke the protocol (") || seen == "ended: it sent a message out of turn"
                    || seen == "ended: it sent its gate what is no message"
                    || seen == "ended: it sent its gate words of no command"
                if !isForIt { others.append("\(name(kind)): \(seen)") }
            }
            return "\(kinds.count) tried; " + (others.isEmpty ? "each ends it" : others.joined(separator: ", "))
        }
        func toSupervisor(_ puppet: Puppet, _ packet: [UInt8]) { puppet.supervisor.send(packet) }
        func toGate(_ puppet: Puppet, _ packet: [UInt8]) { puppet.gate?.send(packet) }
        let toWorker: [ToWorker] =
            ToWorker.Life.kinds.map { .life($0) } + ToWorker.Files.kinds.map { .files($0) }
            + ToWorker.Audit.kinds.map { .audit($0) } + ToWorker.Forwards.kinds.map { .forwards($0) }
        let own: [ToSupervisor] =
            ToSupervisor.Life.kinds.map { .life($0) } + ToSupervisor.Files.kinds.map { .files($0) }
            + ToSupervisor.Audit.kinds.map { .audit($0) } + ToSupervisor.Forwards.kinds.map { .forwards($0) }
        // Those that live are the very bytes of a worker's own messages: an empty path to open, a file to drop, the list of forwards,
        // a question about a host without a name, and the end of a session.
        table.row(
            "what the supervisor says to workers, said to the supervisor",
            "16 tried; files.broker: lives, files.brokerEnded: lives"
        ) {
            try survivors(toWorker, toSupervisor)
        }
        table.row("what the supervisor says to gates, said to the supervisor", "7 tried; notConnected: lives") {
            try survivors(ToGate.kinds, toSupervisor)
        }
        table.row("what gates say to the supervisor, said to it by a worker", "10 tried; each ends it") {
            try survivors(FromGate.kinds, toSupervisor)
        }
        table.row("what file brokers say to the supervisor, said to it by a worker", "6 tried; each ends it") {
            try survivors(FromFileBroker.kinds, toSupervisor)
        }
        table.row("what a worker says to its gate, said to the supervisor", "11 tried; each ends it") {
            try survivors(GateRequest.kinds, toSupervisor)
        }
        table.row("what a worker says to the supervisor, said to its gate", "16 tried; each ends it") {
            try survivors(own, toGate)
        }
        // `ready` reads as a question about a host without a name.
        table.row("what a gate answers, said to the gate", "9 tried; ready.mark: lives, opened: lives") {
            try survivors(GateAnswer.kinds, toGate)
        }
        table.row(
            "what the supervisor says to gates, said to the gate by its worker",
            "7 tried; connected: lives"
        ) {
            try survivors(ToGate.kinds, toGate)
        }
        table.row("what the supervisor says to file brokers, said to the gate", "6 tried; each ends it") {
            try survivors(ToFileBroker.kinds, toGate)
        }
        table.finish()
    }

    // MARK: What is no message

    @Test("what is no message ends the worker that sends it, whoever it is sent to")
    func packets() throws {
        let stage = try AttackStage()
        defer { stage.stop() }
        let header: [UInt8] = [Frame.version, 0, 0, 0, 5, 0, 0, 0]
        let path = Array("/tmp/x".utf8)
        let length: [UInt8] = [6, 0, 0, 0]
        let packets: [(name: String, packet: [UInt8], error: String)] = [
            ("one byte", [Frame.version], "a message ends within a field"),
            ("version 0", [0, 0, 0, 0, 5, 0, 0, 0, 4, 2], "a message has version 0, which is not known here"),
            (
                "the version after this", [Frame.version + 1, 0, 0, 0, 5, 0, 0, 0, 4, 2],
                "a message has version 3, which is not known here"
            ),
            (
                "a byte of the header that is not zero", [Frame.version, 1, 0, 0, 5, 0, 0, 0, 4, 2],
                "a message has a value that it cannot have there"
            ),
            ("a header alone", header, "a message ends within a field"),
            ("a subject that there is not", header + [0, 1], "a message has tag 0, which is not known here"),
            ("another one", header + [255, 1], "a message has tag 255, which is not known here"),
            (
                "a message that its subject has not", header + [4, 200],
                "a message has tag 200, which is not known here"
            ),
            ("a byte behind the last field", header + [4, 2, 0], "a message has 1 bytes behind its last field"),
            ("a field that is cut", header + [2, 3, 1, 0], "a message ends within a field"),
            (
                "a text that claims 4 GiB", header + [2, 1, 255, 255, 255, 255] + path,
                "a message or a field of 4294967295 bytes is too long"
            ),
            (
                "a text that claims more than the packet has", header + [2, 1, 200, 0, 0, 0] + path,
                "a message ends within a field"
            ),
            (
                "a text that is no UTF-8", header + [2, 1] + length + [0x2F, 0xC3, 0x28, 0x2F, 0xFF, 0x2F],
                "a message has a value that it cannot have there"
            ),
            (
                "a path of 4,096 bytes", header + [2, 1, 0, 16, 0, 0] + [UInt8](repeating: 0x2F, count: 4096),
                "a message or a field of 4096 bytes is too long"
            ),
            (
                "65,537 bytes", header + [UInt8](repeating: 4, count: 65_529),
                "a message or a field of 65537 bytes is too long"
            ),
            (
                "200,000 bytes", header + [UInt8](repeating: 4, count: 199_992),
                "a message or a field of 65537 bytes is too long"
            ),
        ]
        let table = AttackTable("A worker with the place sends what is no message")
        for (name, packet, error) in packets {
            table.row("\(name), to the supervisor", "ended: it broke the protocol (\(error))") {
                try stage.hijack { puppet in
                    puppet.supervisor.send(packet)
                    return try stage.verdict(puppet)
                }
            }
        }
        let toGate: [(String, [UInt8])] = [
            ("one byte", [Frame.version]), ("version 0", [0, 0, 0, 0, 5, 0, 0, 0, 3]), ("a header alone", header),
            ("a message that there is not", header + [0]), ("another one", header + [99]),
            ("a byte behind the last field", header + [3, 0]), ("a host's name of 101 bytes", Self.longName(header)),
            ("a ticket for a question", header + [16, 1, 3, 0, 0, 0, 0x62, 0x6F, 0x78]),
            ("a ticket for a ticket", header + [16, 16, 16, 16]),
            ("65,537 bytes", header + [UInt8](repeating: 4, count: 65_529)),
        ]
        for (name, packet) in toGate {
            table.row("\(name), to the gate", "ended: it sent its gate what is no message") {
                try stage.hijack { puppet in
                    puppet.gate?.send(packet)
                    return try stage.verdict(puppet)
                }
            }
        }
        table.row("no byte at all, to the supervisor", "it hears no more, until the client goes") {
            try stage.hijack { puppet in
                puppet.supervisor.send([])
                puppet.supervisor.send(Self.last)
                // Only the end of its client brings the place to the next one, as with a worker that is silent.
                guard try puppet.ask(.alive(host: "box")) == "alive" else { return "its gate has gone" }
                return "it hears no more, until the client goes"
            }
        }
        table.row("no byte at all, to the gate", "it hears no more") {
            try stage.hijack { puppet in
                puppet.gate?.send([])
                try puppet.gate?.say(GateRequest.alive(host: "box"), 3)
                return puppet.gate?.waits(200) == true ? "it hears on" : "it hears no more"
            }
        }
        table.finish()
    }

    private static func longName(_ header: [UInt8]) -> [UInt8] {
        header + [1, 101, 0, 0, 0] + [UInt8](repeating: 0x61, count: 101)
    }

    // MARK: Lies about descriptors

    @Test("a descriptor that is no pipe, one too many or too few ends the worker, and nobody keeps it")
    func descriptors() throws {
        let stage = try AttackStage()
        defer { stage.stop() }
        let table = AttackTable("A worker lies about descriptors")
        let files = GateRequest.sftp(host: "box", FileAccess(writes: true, base: nil), call: Puppet.call)
        let directory = stage.place.directory.path
        func opened(_ flags: Int32, _ path: String) -> Int32 { open(path, flags | O_CLOEXEC, 0o600) }
        func sockets(_ kind: Int32) -> Int32 {
            var pair: [Int32] = [-1, -1]
            socketpair(AF_UNIX, kind | Int32(SOCK_CLOEXEC.rawValue), 0, &pair)
            close(pair[1])
            return pair[0]
        }
        let kinds: [(String, () -> Int32)] = [
            ("a stream socket", { sockets(Int32(SOCK_STREAM.rawValue)) }),
            ("a packet socket", { sockets(Int32(SOCK_SEQPACKET.rawValue)) }),
            ("a TCP socket", { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }),
            (
                "a connection to the ControlMaster",
                { (try? connectedSocket(stage.remote.master.socketPath).release()) ?? -1 }
            ),
            (
                "a connection to the MCP socket",
                { (try? connectedSocket(stage.daemon.socketPath).release()) ?? -1 }
            ),
            ("a file", { opened(O_RDWR | O_CREAT, directory + "/f") }),
            ("a directory", { opened(O_RDONLY | O_DIRECTORY, directory) }),
            ("/dev/null", { opened(O_RDWR, "/dev/null") }),
            ("a terminal", { opened(O_RDWR | O_NOCTTY, "/dev/ptmx") }),
            ("a sealed memory file", { csd_memfd_create("x") }),
            ("an epoll set", { csd_epoll_create() }),
        ]
        for (name, make) in kinds {
            for place in 0..<3 {
                table.row(
                    "\(name) as a session's descriptor \(place)",
                    "ended: it gave a session a descriptor that is no pipe"
                ) {
                    try stage.hijack { puppet in
                        try puppet.begin()
                        var (theirs, _, _, _) = try puppet.pipes()
                        close(theirs[place])
                        theirs[place] = make()
                        guard theirs[place] >= 0 else { return "no such descriptor here: \(errnoText())" }
                        try puppet.gate?.say(files, 5, theirs)
                        for descriptor in theirs { close(descriptor) }
                        return try stage.verdict(puppet)
                    }
                }
            }
        }
        for count in [0, 1, 2, 4, 5, 200] {
            table.row("\(count) pipes for a session", "ended: it sent its gate what is no message") {
                try stage.hijack { puppet in
                    try puppet.begin()
                    let pipe = try DescriptorPipe()
                    try puppet.gate?.say(files, 5, (0..<count).map { _ in pipe.readEnd })
                    close(pipe.readEnd)
                    close(pipe.writeEnd)
                    return try stage.verdict(puppet)
                }
            }
        }
        let without: [(String, GateRequest)] = [
            ("a question", .alive(host: "box")), ("words", .words("x")), ("a close", .close),
            ("a judgement of a forward", .judgeForward(host: "box", target: .tcp(host: "db", port: 1))),
        ]
        for (name, request) in without {
            table.row("a pipe with \(name)", "ended: it sent its gate what is no message") {
                try stage.hijack { puppet in
                    let pipe = try DescriptorPipe()
                    try puppet.gate?.say(request, 5, [pipe.readEnd])
                    close(pipe.readEnd)
                    close(pipe.writeEnd)
                    return try stage.verdict(puppet)
                }
            }
        }
        table.row("pipes, each by the end that cannot do it", "opened") {
            try stage.hijack { puppet in
                try puppet.begin()
                let pipe = try DescriptorPipe()
                defer {
                    close(pipe.readEnd)
                    close(pipe.writeEnd)
                }
                let ends = [pipe.writeEnd, pipe.readEnd, pipe.readEnd].map { fcntl($0, F_DUPFD_CLOEXEC, 3) }
                return try puppet.ask(files, nil, ends)
            }
        }
        table.row("one pipe that is open for both, by a FIFO, as all three", "opened") {
            try stage.hijack { puppet in
                try puppet.begin()
                mkfifo(directory + "/fifo", 0o600)
                return try puppet.ask(files, nil, (0..<3).map { _ in opened(O_RDWR, directory + "/fifo") })
            }
        }
        // A kernel of before 6.16 hands it over, and the receiver drops it; a newer one refuses to send it.
        table.row("a file to the supervisor", "it is not taken") {
            var isRefused = false
            let seen = try stage.hijack { puppet in
                let null = opened(O_RDONLY, "/dev/null")
                isRefused = try puppet.supervisor.say(ToSupervisor.forwards(.list), 5, [null]) == EPERM
                close(null)
                return try stage.verdict(puppet)
            }
            if seen == "ended: it broke the protocol (the kernel cut off the descriptors of a message)" {
                return "it is not taken"
            }
            return isRefused && seen == "lives" ? "it is not taken" : seen
        }
        table.row("afterwards: sessions on the host", "none") { stage.sessionsLeft() }
        table.finish()
    }
}
