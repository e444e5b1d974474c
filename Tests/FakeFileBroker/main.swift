internal import CLinux
internal import Glibc
internal import IPC

// A file broker that does not keep to the rules, for tests of the supervisor and of the worker. It stands in the place of
// claude-ssh-files, beside a copy of the daemon, with the real one beside it as claude-ssh-files.real. It behaves badly once for
// each line that the file `script` there holds, and becomes the real one then.

/// How a broker can misbehave.
enum Conduct: String {
    /// Answers under another id.
    case wrongID
    /// Sends the supervisor a descriptor.
    case surplus
    /// Sends the supervisor more than a packet.
    case oversized
    /// Sends the supervisor what is no message.
    case garbage
    /// Is at a place that its policy does not have, before it is ready.
    case early
    /// Says what it may say, without end, to supervisor and log.
    case endless
    /// Gets ready and says nothing more.
    case silent
    /// Never gets ready.
    case mute
    /// Tells the supervisor that the worker has its answer, which has none.
    case liar
    /// Gives the worker a file whose size no arithmetic survives.
    case huge
}

func fail(_ what: String) -> Never {
    let line = Array("fake file broker: \(what)\n".utf8)
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

guard let line = nextLine() else {
    let real = directory + "/claude-ssh-files.real"
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
    guard let first = try supervisor.receive(ToFileBroker.self), case .setup = first.message else { fail("no Setup") }
    switch conduct {
    case .mute: while true { pause() }
    case .early: try supervisor.send(FromFileBroker.looking(place: .max))
    case .wrongID, .surplus, .oversized, .garbage, .endless, .silent, .liar, .huge: break
    }
    if conduct == .endless {
        let line = Array((String(repeating: "x", count: 4000) + "\n").utf8)
        while true {
            try supervisor.send(FromFileBroker.looking(place: 0))
            _ = write(STDERR_FILENO, line, line.count)
        }
    }
    try supervisor.send(FromFileBroker.ready(landlockABI: 7))
    guard let request = try supervisor.receive(ToFileBroker.self) else { fail("no request") }
    let id = request.requestID
    switch conduct {
    case .wrongID: try supervisor.send(FromFileBroker.done, requestID: id &+ 1)
    case .liar: try supervisor.send(FromFileBroker.done, requestID: id)
    case .huge:
        var packet: [UInt8] = [Frame.version, 0, 0, 0]
        withUnsafeBytes(of: id.littleEndian) { packet += $0 }
        packet.append(1)
        withUnsafeBytes(of: (UInt64(1) << 63 + 5).littleEndian) { packet += $0 }
        let zero = OwnedFD(taking: open("/dev/zero", O_RDONLY | O_CLOEXEC))
        guard csd_send_message(4, packet, packet.count, [zero.rawValue], 1) >= 0 else { fail("errno \(errno)") }
        try supervisor.send(FromFileBroker.done, requestID: id)
        exit(0)
    case .surplus:
        let packet = try FromFileBroker.done.encoded(requestID: id)
        let null = OwnedFD(taking: open("/dev/null", O_RDONLY | O_CLOEXEC))
        // Where it cannot even be sent, ending is all that is left.
        guard csd_send_message(3, packet, packet.count, [null.rawValue], 1) >= 0 else { fail("errno \(errno)") }
    case .oversized:
        let packet = [UInt8](repeating: 1, count: Frame.maximumSize + 1000)
        _ = csd_send_message(3, packet, packet.count, nil, 0)
    case .garbage:
        let packet: [UInt8] = [1, 99, 0, 0, 0, 0, 0, 0]
        _ = csd_send_message(3, packet, packet.count, nil, 0)
    case .silent, .mute, .early, .endless: break
    }
    while true { pause() }
}

do {
    try misbehave(conduct)
} catch {
    fail("\(error)")
}
