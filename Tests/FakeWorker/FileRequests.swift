internal import CLinux
internal import Glibc
internal import IPC

/// Speaks to the gate of this worker, and over a session's pipes to the SFTP server of a host.
struct FileRequests {
    static let gate: Int32 = 5

    let host: String
    let access: FileAccess

    /// Removes the file `f` of the tree, or of /tmp.
    var removal: [UInt8] { Self.packet(13, path: (access.base ?? "/tmp") + "/f") }

    /// Asks for the attributes of a path.
    func lookAt(_ path: String) -> [UInt8] { Self.packet(17, path: path) }

    private static func number(_ value: Int) -> [UInt8] {
        (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    private static func packet(_ type: UInt8, path: String) -> [UInt8] {
        let body = [type] + number(1) + number(path.utf8.count) + Array(path.utf8)
        return number(body.count) + body
    }

    /// Opens a channel and sends this, after what every client begins with.
    func ask(_ request: [UInt8]) -> Never {
        guard let input = open(access) else { fail("no channel") }
        let bytes = Self.number(5) + [1] + Self.number(3) + request
        guard write(input, bytes, bytes.count) == bytes.count else { fail("errno \(errno)") }
        while true { pause() }
    }

    /// Asks for a channel with this access.
    /// - Returns: where its requests go; nil where it gets none.
    @discardableResult
    func open(_ access: FileAccess) -> Int32? {
        var ends: [Int32] = []
        for _ in 0..<3 {
            var (reader, writer): (Int32, Int32) = (-1, -1)
            guard csd_pipe(&reader, &writer) == 0 else { fail("errno \(errno)") }
            ends += [reader, writer]
        }
        return open(access, [ends[0], ends[3], ends[5]]) ? ends[1] : nil
    }

    private func open(_ access: FileAccess, _ numbers: [Int32]) -> Bool {
        open(.sftp(host: host, access, call: Self.call), numbers) == nil
    }

    /// The number of the call that its requests are for.
    static let call: UInt32 = 1

    /// Asks for a session that runs a command in the tree, or in /tmp, and waits for its end.
    /// - Returns: why it was not opened; nil where it was.
    func run(_ command: String, for call: UInt32 = Self.call) -> SessionFailure? {
        let command = GateCommand(
            host: host, command: command, directory: access.base ?? "/tmp", environment: ["TOKEN": "secret"],
            seconds: 5, nonce: Nonce.make(marked: gateMark()), call: call)
        guard let request = command.requests?.exec else { fail("a long command") }
        return ask(request)
    }

    /// The mark of the gate, once its first message has come.
    // This program has one thread.
    private nonisolated(unsafe) static var mark: String?

    private func gateMark() -> String {
        if let mark = Self.mark { return mark }
        let channel = Channel(taking: OwnedFD(taking: dup(Self.gate)))
        do throws(IPCError) {
            guard let first = try channel.receive(GateAnswer.self), case .ready(let mark) = first.message else {
                fail("no mark")
            }
            Self.mark = mark
            return mark
        } catch {
            fail("\(error)")
        }
    }

    /// Asks for a channel, for this call.
    func openFiles(for call: UInt32) -> SessionFailure? { ask(.sftp(host: host, access, call: call)) }

    /// Asks for a line of the gate's own.
    func runErrand() -> SessionFailure? { ask(.errand(host: host, .question)) }

    private func ask(_ request: GateRequest) -> SessionFailure? {
        var ends: [Int32] = []
        for _ in 0..<3 {
            var (reader, writer): (Int32, Int32) = (-1, -1)
            guard csd_pipe(&reader, &writer) == 0 else { fail("errno \(errno)") }
            ends += [reader, writer]
        }
        return open(request, [ends[0], ends[3], ends[5]])
    }

    /// - Returns: why the session was not opened; nil where it was.
    private func open(_ request: GateRequest, _ numbers: [Int32]) -> SessionFailure? {
        let channel = Channel(taking: OwnedFD(taking: dup(Self.gate)))
        let descriptors = PassedDescriptors(
            OwnedFD(taking: numbers[0]), OwnedFD(taking: numbers[1]), OwnedFD(taking: numbers[2]))
        do {
            try channel.send(request, requestID: 1, descriptors: descriptors)
            while true {
                guard let answer = try channel.receive(GateAnswer.self) else { fail("no answer") }
                switch answer.message {
                case .opened: return nil
                case .notOpened(let failure): return failure
                case .ready(let mark): Self.mark = mark
                case .master, .exited, .ended, .refused, .allowed, .ticket: continue
                }
            }
        } catch {
            fail("\(error)")
        }
    }

    /// Asks whether the ControlMaster lives, so that the gate keeps a connection to it, which needs no call.
    func askAlive() {
        let channel = Channel(taking: OwnedFD(taking: dup(Self.gate)))
        do {
            try channel.send(GateRequest.alive(host: host), requestID: 2)
            while true {
                guard let answer = try channel.receive(GateAnswer.self) else { fail("no answer") }
                if case .ready(let mark) = answer.message { Self.mark = mark }
                if case .master = answer.message { return }
            }
        } catch {
            fail("\(error)")
        }
    }

    func giveSocket() -> Never {
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else { fail("errno \(errno)") }
        _ = open(access, [pair[0], dup(pair[0]), dup(pair[0])])
        while true { pause() }
    }

    /// Asks for a channel with two pipes and this.
    func give(_ descriptor: Int32, as stream: Int) {
        var (reader, writer): (Int32, Int32) = (-1, -1)
        guard descriptor >= 0, csd_pipe(&reader, &writer) == 0 else { fail("no descriptor: errno \(errno)") }
        _ = open(access, (0..<3).map { $0 == stream ? descriptor : dup($0 == 0 ? reader : writer) })
    }

    func babble() -> Never {
        let packet: [UInt8] = [9, 9, 9, 9, 9, 9, 9, 9]
        _ = Glibc.send(Self.gate, packet, packet.count, 0)
        while true { pause() }
    }
}
