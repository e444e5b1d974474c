internal import AttackProbe
internal import CLinux
internal import Glibc
internal import IPC
internal import Sandbox

/// What `Tests/Attack` has a worker try.
enum Attack {
    /// Everything of the table, each attempt in a process of its own under the worker's confinement.
    case table
    /// Gives its gate a descriptor that is no pipe for a stream of a session.
    case give(kind: Int, stream: Int)

    /// Reads a line of the script; nil where it is none of these.
    init?(_ line: String) {
        let words = line.split(separator: " ")
        switch words.first {
        case "attack" where words.count == 1: self = .table
        case "give" where words.count == 3:
            guard let kind = Int(words[1]), let stream = Int(words[2]), (0..<3).contains(stream) else { return nil }
            self = .give(kind: kind, stream: stream)
        default: return nil
        }
    }

    /// Never comes back.
    func run() -> Never {
        signal(SIGPIPE, SIG_IGN)
        // The attempts have the channel itself.
        let channel = Channel(taking: OwnedFD(taking: fcntl(channelDescriptor, F_DUPFD, 64)))
        do {
            guard var setup = try channel.receive(ToWorker.self), let memory = setup.descriptors.take() else {
                fail("no policy")
            }
            let sealed = fcntl(memory.rawValue, F_DUPFD, 64)
            let policy = try PolicySnapshot(sealed: memory)
            guard let host = policy.hosts.first else { fail("no host") }
            let worker = Hostile(channel: channel, host: host.name, access: FileAccess(host), program: program)
            _ = csd_set_parent_death_signal(SIGKILL)
            worker.send(.life(.ready(landlockABI: 6)))
            worker.send(.life(.clientSpeaks))
            worker.takeGate()
            switch self {
            case .table: Self.tryAll(sealed)
            case .give(let kind, let stream):
                worker.beginCall()
                worker.files.give(attack_kind_make(kind), as: stream)
                // It was answered, and not ended.
                exit(0)
            }
        } catch {
            fail("\(error)")
        }
        while true { pause() }
    }

    /// Its client tells the facts, and gets nothing. The report is a file beside this program.
    private static func tryAll(_ policy: Int32) {
        var facts: [UInt8] = []
        while !facts.ends(with: "\nend\n".utf8) {
            var byte: UInt8 = 0
            guard read(clientDescriptor, &byte, 1) == 1 else { fail("no facts") }
            facts.append(byte)
        }
        let report = open(directory + "/report", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard report >= 0 else { fail("no report: errno \(errno)") }
        (facts + [0]).withUnsafeBufferPointer { facts in
            facts.withMemoryRebound(to: CChar.self) { facts in
                attack_run(
                    ATTACK_WORKER, facts.baseAddress,
                    {
                        do throws(SandboxError) {
                            _ = try Confinement.enter(requireLandlock: false)
                            return 0
                        } catch {
                            return 1
                        }
                    }, policy, report)
            }
        }
    }
}

extension Sequence where Element == UInt8 {
    fileprivate func ends(with suffix: some Collection<UInt8>) -> Bool { reversed().starts(with: suffix.reversed()) }
}
