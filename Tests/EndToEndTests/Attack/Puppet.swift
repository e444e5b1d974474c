import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// Takes the channels of workers that are puppets, see `Tests/FakeWorker/Puppet.swift`.
final class PuppetMaster {
    private let listener: Int32

    init(_ workers: FakeWorkers) throws {
        let number = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        listener = number
        try withSocketAddress(workers.puppetSocket) { address, length in
            guard bind(number, address, length) == 0, listen(number, 16) == 0 else {
                throw HarnessError("listen at \(workers.puppetSocket): \(errnoText())")
            }
        }
    }

    deinit { close(listener) }

    /// The next puppet.
    func next(_ client: MCPClient) throws -> Puppet {
        var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 30_000) == 1 else { throw HarnessError("no puppet comes") }
        let control = accept(listener, nil, nil)
        guard control >= 0 else { throw HarnessError("accept: \(errnoText())") }
        return try Puppet(control, client)
    }
}

/// A worker that is this test: what it says is what the hijacked worker says.
final class Puppet {
    /// The call that most requests are for.
    static let call: UInt32 = 1

    let client: MCPClient
    let pid: pid_t
    let supervisor: RawChannel
    /// Where it has the place: the channel to its gate.
    private(set) var gate: RawChannel?
    /// What the nonces of commands begin with.
    private(set) var mark = ""
    private let control: RawChannel
    private var nextRequest: UInt32 = 1000
    /// This side's ends of the pipes that sessions were given.
    private var kept: [Int32] = []

    fileprivate init(_ connection: Int32, _ client: MCPClient) throws {
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        control = RawChannel(taking: connection)
        self.client = client
        var peer = csd_peer_credentials()
        guard csd_peer_credentials(connection, &peer) == 0 else { throw HarnessError("no pid of the puppet") }
        pid = peer.pid
        guard let channel = try control.receive()?.descriptors.first else {
            throw HarnessError("a puppet without a channel")
        }
        supervisor = RawChannel(taking: channel)
    }

    deinit { leave() }

    /// It ends as a worker does that has nothing to do any more.
    func leave() {
        supervisor.close()
        gate?.close()
        for descriptor in kept { close(descriptor) }
        kept = []
        control.close()
    }

    func newRequest() -> UInt32 {
        nextRequest += 1
        return nextRequest
    }

    // MARK: What an honest worker does

    /// Is ready, says that its client asks for something, and waits for the place.
    func takePlace() throws {
        try supervisor.say(ToSupervisor.life(.ready(landlockABI: 6)))
        try supervisor.say(ToSupervisor.life(.clientSpeaks))
        try takeGate()
    }

    func takeGate() throws {
        let end: Int32? = try supervisor.hear(ToWorker.self) { message, _, descriptors in
            message == .life(.proceed) ? descriptors.first : nil
        }
        guard let end else { throw HarnessError("no gate for the puppet") }
        let gate = RawChannel(taking: end)
        self.gate = gate
        let mark = try gate.hear(GateAnswer.self) { message, _, _ in
            if case .ready(let mark) = message { mark } else { nil }
        }
        guard let mark else { throw HarnessError("the gate of the puppet does not get ready") }
        self.mark = mark
    }

    /// Begins a call, and waits until it is written down.
    func begin(_ call: UInt32 = Puppet.call, tool: String = "ssh_exec", command: String = "echo harmless") throws {
        let what = AuditCall(tool: tool, host: "box", fields: [.init(.command, command)])
        try supervisor.say(ToSupervisor.audit(.begin(what)), call)
        let begun = try supervisor.hear(ToWorker.self) { message, id, _ in
            message == .audit(.begun) && id == call ? true : nil
        }
        guard begun == true else { throw HarnessError("the call was not begun") }
    }

    /// Ends one, and waits until the supervisor has heard of it.
    func end(_ call: UInt32 = Puppet.call) throws {
        let fine = AuditOutcome(rule: "", ending: .ok, exitCode: 0, bytesIn: 0, bytesOut: 0)
        try supervisor.say(ToSupervisor.audit(.end(fine)), call)
        try settleSupervisor()
    }

    /// Waits until the supervisor has heard all that was said before.
    /// - Returns: whether it still hears.
    @discardableResult
    func settleSupervisor() throws -> Bool {
        let id = newRequest()
        try supervisor.say(ToSupervisor.forwards(.list), id)
        return try supervisor.hear(ToWorker.self) { _, answered, _ in answered == id ? true : nil } ?? false
    }

    // MARK: Requests for the gate

    /// Three pipes: the ends that a session gets, and those that stay here.
    func pipes() throws -> (theirs: [Int32], input: Int32, output: Int32, error: Int32) {
        let all = try (0..<3).map { _ in try DescriptorPipe() }
        kept += [all[0].writeEnd, all[1].readEnd, all[2].readEnd]
        return ([all[0].readEnd, all[1].writeEnd, all[2].writeEnd], all[0].writeEnd, all[1].readEnd, all[2].readEnd)
    }

    /// Closes an end that stayed here.
    func drop(_ descriptor: Int32) {
        guard let index = kept.firstIndex(of: descriptor) else { return }
        kept.remove(at: index)
        close(descriptor)
    }

    /// Stands in requests for the mark of the gate, `GateAnswer.ready`, which is known only when they are sent.
    static let unmarked = String(repeating: "0", count: Nonce.markSize)

    /// A request with the mark of the gate in place of `unmarked`.
    func marked(_ request: GateRequest) -> GateRequest {
        func own(_ nonce: String) -> String {
            nonce.hasPrefix(Self.unmarked) ? mark + nonce.dropFirst(Nonce.markSize) : nonce
        }
        switch request {
        case .exec(let host, let seconds, let nonce, let words, let call):
            return .exec(host: host, seconds: seconds, nonce: own(nonce), words: words, call: call)
        case .judge(let host, let seconds, let nonce, let words, let call):
            return .judge(host: host, seconds: seconds, nonce: own(nonce), words: words, call: call)
        case .errand(let host, .probe(let nonce)): return .errand(host: host, .probe(nonce: own(nonce)))
        case .errand(let host, .trial(let nonce)): return .errand(host: host, .trial(nonce: own(nonce)))
        case .errand(let host, .identity(let nonce)): return .errand(host: host, .identity(nonce: own(nonce)))
        case .errand(let host, .sweep(let nonces)): return .errand(host: host, .sweep(nonces: nonces.map(own)))
        case .errand(let host, .stop(let observers)):
            let marked = observers.map { ObserverID(processID: $0.processID, nonce: own($0.nonce)) }
            return .errand(host: host, .stop(marked))
        case .alive, .close, .sftp, .shell, .errand(_, .question), .words, .judgeForward, .ticket, .exports:
            return request
        }
    }

    /// Makes a request, and says what its first answer is.
    /// - Parameter descriptors: go with it and are closed here.
    func ask(_ request: GateRequest, _ id: UInt32? = nil, _ descriptors: [Int32] = []) throws -> String {
        let id = id ?? newRequest()
        let packets = marked(request).packets
        for packet in packets.dropLast() { try gate?.say(packet, id) }
        if let last = packets.last { try gate?.say(last, id, descriptors) }
        for descriptor in descriptors { close(descriptor) }
        return try answer(to: id) ?? "unanswered"
    }

    /// The next answer to a request; nil where the gate has gone.
    func answer(to id: UInt32) throws -> String? {
        try gate?.hear(GateAnswer.self) { message, answered, _ in answered == id ? Self.word(for: message) : nil }
    }

    /// A session that was asked for.
    struct Session {
        let id: UInt32
        let answer: String
        let input: Int32
        let output: Int32
        let error: Int32
    }

    /// Asks for a session over three pipes.
    func open(_ request: GateRequest, _ id: UInt32? = nil) throws -> Session {
        let id = id ?? newRequest()
        let (theirs, input, output, error) = try pipes()
        let answer = try ask(request, id, theirs)
        return Session(id: id, answer: answer, input: input, output: output, error: error)
    }

    /// Opens one, closes it again, and says what the answer was.
    func tryOpen(_ request: GateRequest) throws -> String {
        let session = try open(request)
        if session.answer == "opened" { _ = try ask(.close, session.id) }
        for descriptor in [session.input, session.output, session.error] { drop(descriptor) }
        return session.answer
    }

    /// A command for the host, as the worker words it.
    static func command(
        _ command: String, host: String = "box", directory: String = "", environment: [String: String] = [:],
        call: UInt32 = Puppet.call
    ) -> GateCommand {
        GateCommand(
            host: host, command: command, directory: directory, environment: environment, seconds: 10,
            nonce: Nonce.make(marked: unmarked), call: call)
    }

    /// Has a command run, and says what it wrote, or why it did not run.
    func run(_ command: GateCommand) throws -> String {
        guard let request = command.requests?.exec else { return "too long" }
        let session = try open(request)
        defer { for end in [session.input, session.output, session.error] { drop(end) } }
        guard session.answer == "opened" else { return session.answer }
        drop(session.input)
        return "ran: \(try Self.readAll(session.output))"
    }

    /// What comes out of a pipe until its end.
    static func readAll(_ descriptor: Int32, milliseconds: Int32 = 20_000) throws -> String {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while text.count < 1 << 20 {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, milliseconds) > 0 else { break }
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            text += chunk[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// An answer of the gate, in few words.
    static func word(for answer: GateAnswer) -> String {
        switch answer {
        case .ready: "ready"
        case .master(.alive): "alive"
        case .master(.down(let why)): "down: \(why)"
        case .ticket: "ticket"
        case .opened: "opened"
        case .notOpened(.refused(let rule)): "refused: \(rule)"
        case .notOpened(.notAllowed(let refusal)): "refused: \(refusal.rule.name)"
        case .notOpened(.closed): "closed"
        case .notOpened(let failure): "not opened: \(failure)"
        case .exited(let status): "exited \(status)"
        case .ended: "ended"
        case .refused(let refusal): "refused: \(refusal.rule.name)"
        case .allowed: "allowed"
        }
    }
}
