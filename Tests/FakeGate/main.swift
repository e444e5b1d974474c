internal import CLinux
internal import Glibc
internal import IPC

// A gate that does not keep to the rules, for tests of the supervisor and of the worker. It stands in the place of
// claude-ssh-gate, beside a copy of the daemon, with the real one beside it as claude-ssh-gate.real. It behaves badly once for
// each line that the file `script` there holds, and becomes the real one then, or where the line is `honest`.

/// How a gate can misbehave.
enum Conduct: String {
    /// Ends before it is ready.
    case stillborn
    /// Never gets ready.
    case mute
    /// Says twice that it is ready.
    case twice
    /// Asks for a connection before it is ready.
    case early
    /// Asks for a host that the policy does not have.
    case stranger
    /// Asks under a policy that there never was.
    case future
    /// Asks for more connections at once than it may have.
    case greedy
    /// Asks for connections without end, and takes no answer.
    case endless
    /// Sends the supervisor a descriptor.
    case surplus
    /// Sends the supervisor what is no message.
    case garbage
    /// Takes the first request and ends.
    case mortal
    /// Takes requests and answers none.
    case silent
    /// Answers requests that nobody has made, then breaks the protocol towards the worker.
    case liar
}

func fail(_ what: String) -> Never {
    let line = Array("fake gate: \(what)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}

var buffer = [UInt8](repeating: 0, count: 4096)
let length = readlink("/proc/self/exe", &buffer, buffer.count)
guard length > 0 else { fail("no /proc") }
let program = String(decoding: buffer[..<length], as: UTF8.self)
let directory = String(program[..<(program.lastIndex(of: "/") ?? program.startIndex)])

/// Takes the first line of the script; nil where there is none.
func nextLine() -> String? {
    let file = OwnedFD(taking: open(directory + "/script", O_RDWR | O_CLOEXEC))
    guard flock(file.rawValue, LOCK_EX) == 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(file.rawValue, &bytes, bytes.count)
    guard count > 0 else { return nil }
    let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
    let rest = Array(lines.dropFirst().map { $0 + "\n" }.joined().utf8)
    guard ftruncate(file.rawValue, 0) == 0, pwrite(file.rawValue, rest, rest.count, 0) == rest.count else { return nil }
    return lines.first.map { String($0) }
}

guard let line = nextLine(), line != "honest" else {
    let real = directory + "/claude-ssh-gate.real"
    real.withCString { path in
        let arguments = [UnsafeMutablePointer(mutating: path), nil]
        execv(path, arguments)
    }
    fail("cannot become \(real): errno \(errno)")
}
guard let conduct = Conduct(rawValue: line) else { fail("no such conduct: \(line)") }
signal(SIGPIPE, SIG_IGN)
_ = csd_set_parent_death_signal(SIGKILL)

func misbehave(_ conduct: Conduct) throws -> Never {
    let supervisor = Channel(taking: OwnedFD(taking: 3))
    let worker = Channel(taking: OwnedFD(taking: 4))
    guard let first = try supervisor.receive(ToGate.self), case .setup(let policy, _) = first.message else {
        fail("no Setup")
    }
    func isReady() throws {
        try supervisor.send(FromGate.ready(landlockABI: 7))
        try worker.send(GateAnswer.ready(mark: Nonce.makeMark()))
    }
    /// Waits for a request of the worker.
    func request() throws -> UInt32 {
        while true {
            var waiting = pollfd(fd: 4, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, -1)
            if let request = try worker.receive(GateRequest.self) { return request.requestID }
        }
    }
    switch conduct {
    case .stillborn: fail("it does not want to")
    case .mute: break
    case .twice:
        try isReady()
        try supervisor.send(FromGate.ready(landlockABI: 7))
    case .early: try supervisor.send(FromGate.connect(host: 0, policy: policy))
    case .stranger:
        try isReady()
        try supervisor.send(FromGate.connect(host: .max, policy: policy))
    case .future:
        try isReady()
        try supervisor.send(FromGate.connect(host: 0, policy: policy &+ 1))
    case .greedy:
        try isReady()
        for id in 0..<1000 { try supervisor.send(FromGate.connect(host: 0, policy: policy), requestID: UInt32(id)) }
    case .endless:
        try isReady()
        var id: UInt32 = 0
        while true {
            try supervisor.send(FromGate.connect(host: 0, policy: policy &- 1), requestID: id)
            id &+= 1
        }
    case .surplus:
        try isReady()
        let packet = try FromGate.connect(host: 0, policy: policy).encoded(requestID: 1)
        let null = OwnedFD(taking: open("/dev/null", O_RDONLY | O_CLOEXEC))
        // Where it cannot even be sent, ending is all that is left.
        guard csd_send_message(3, packet, packet.count, [null.rawValue], 1) >= 0 else { fail("errno \(errno)") }
    case .garbage:
        try isReady()
        let packet: [UInt8] = [1, 99, 0, 0, 0, 0, 0, 0]
        _ = csd_send_message(3, packet, packet.count, nil, 0)
    case .mortal:
        try isReady()
        _ = try request()
        fail("it has seen enough")
    case .silent: try isReady()
    case .liar:
        try isReady()
        let id = try request()
        try worker.send(GateAnswer.master(.alive(masterPID: 1)), requestID: id &+ 7)
        try worker.send(GateAnswer.ready(mark: Nonce.makeMark()))
    }
    while true { pause() }
}

do {
    try misbehave(conduct)
} catch {
    fail("\(error)")
}
