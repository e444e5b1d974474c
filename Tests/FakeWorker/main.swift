internal import CLinux
internal import Glibc
internal import IPC

// A worker that does not keep to the rules, for tests of the supervisor. It stands in the place of claude-ssh-worker,
// beside a copy of the daemon, with the real one beside it as claude-ssh-worker.real. It behaves badly once for each line
// that the file `script` there holds, first line first, where it is to serve a client; in every other case it becomes the
// real worker; and so it does where the line is `honest`. Where it is `puppet`, a test speaks in its place.

let clientDescriptor: Int32 = 3
let channelDescriptor: Int32 = 4

func fail(_ what: String) -> Never {
    let line = Array("fake worker: \(what)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}

var buffer = [UInt8](repeating: 0, count: 4096)
let length = readlink("/proc/self/exe", &buffer, buffer.count)
guard length > 0 else { fail("no /proc") }
let program = String(decoding: buffer[..<length], as: UTF8.self)
let directory = String(program[..<(program.lastIndex(of: "/") ?? program.startIndex)])

// Started by itself, see `Hostile.haunt`.
if CommandLine.arguments.count > 1, let conduct = Conduct(rawValue: CommandLine.arguments[1]) {
    let nothing = FileAccess(writes: false, base: nil)
    Hostile(
        channel: Channel(taking: OwnedFD(taking: channelDescriptor)), host: "", access: nothing, program: program
    ).run(conduct)
}

// The first packet says what the worker is for. It is looked at and left where it is: the real worker reads it again.
var packet = [UInt8](repeating: 0, count: Frame.maximumSize)
let count = recv(channelDescriptor, &packet, packet.count, Int32(MSG_PEEK))
guard count > 0, case .life(.setup(let role))? = try? ToWorker.decode(packet[..<count]).message else {
    fail("no Setup")
}

guard role == .serve, let line = Script.next(in: directory), line != "honest" else {
    let real = directory + "/claude-ssh-worker.real"
    real.withCString { path in
        let arguments = [UnsafeMutablePointer(mutating: path), nil]
        execv(path, arguments)
    }
    fail("cannot become \(real): errno \(errno)")
}
if let attack = Attack(line) { attack.run() }
if line == "puppet" { Puppet.serve(in: directory) }
guard let conduct = Conduct(rawValue: line) else { fail("no such conduct: \(line)") }

/// With the policy that comes with Setup.
func misbehave(_ conduct: Conduct, as program: String) -> Never {
    let channel = Channel(taking: OwnedFD(taking: channelDescriptor))
    do {
        guard var setup = try channel.receive(ToWorker.self), let memory = setup.descriptors.take() else {
            fail("no policy")
        }
        let policy = try PolicySnapshot(sealed: memory)
        guard let host = policy.hosts.first else { fail("no host") }
        Hostile(channel: channel, host: host.name, access: FileAccess(host), program: program).run(conduct)
    } catch {
        fail("\(error)")
    }
}

misbehave(conduct, as: program)
