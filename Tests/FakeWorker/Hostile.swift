internal import CLinux
internal import Glibc
internal import IPC

/// How a worker can misbehave.
enum Conduct: String {
    /// Is ready, and does and says nothing, also when its client has gone.
    case mute
    /// Asks for the list of forwards, as fast as it is heard.
    case listForwards
    /// Asks for forwards and cancels them, as fast as it is heard.
    case pairForwards
    /// Begins as many calls as it may, and lists forwards then.
    case openCalls
    /// The same, and ends then.
    case openCallsAndEnd
    /// Begins and ends calls, as fast as it is heard.
    case recordCalls
    /// Writes to its standard error without end.
    case chatter
    /// Ends, and leaves its channel to another process that goes on writing.
    case haunt
    /// The other process.
    case ghost
    /// Ends before it is ready, as the loader does where a library is missing.
    case noLibrary
    /// Ends before it is ready, as a worker does that cannot confine itself.
    case notConfined
    /// Says nothing before it is ready, and does not get ready.
    case neverReady
    /// Opens a channel for the host's files, and asks over it to remove the file that the host's base_dir has.
    case removeFile
    /// The same, and asks for /etc/passwd.
    case leaveTree
    /// Asks for a channel that may do more than the host's policy allows, and removes that file where it gets one.
    case askForMore
    /// Gives a session a socket.
    case giveSocket
    /// Sends its gate what is no message.
    case babble
    /// Begins one call and has another command run for it.
    case lieAboutCommand
    /// Asks for a command, files, a forward and a line of the gate's own for a call that it does not begin.
    case skipBeginning
    /// Asks for a command, files and a forward for a call that has ended.
    case reuseCall
    /// While its client is in line for the place: asks for a local file.
    case fileInLine
    /// Asks for a forward.
    case forwardInLine
    /// Begins a call.
    case callInLine
    /// Says that its client has gone, and begins a call then.
    case callWhenGone
    /// Names its client twice.
    case namesInLine
    /// Asks for the place again.
    case speaksInLine
    /// Says how many descriptors it has that an honest one does not need.
    case lookAroundInLine
    /// Has calls refused, as fast as it is heard.
    case floodInLine
    /// The same, and takes no answer.
    case deafInLine
}

/// Speaks the supervisor's protocol, and does not read what it is told.
struct Hostile: ~Copyable {
    private let channel: Channel
    private let host: String
    private let program: String
    let files: FileRequests

    init(channel: consuming Channel, host: String, access: FileAccess, program: String) {
        files = FileRequests(host: host, access: access)
        self.program = program
        self.channel = channel
        self.host = host
    }

    /// Never comes back.
    func run(_ conduct: Conduct) -> Never {
        signal(SIGPIPE, SIG_IGN)
        switch conduct {
        case .noLibrary:
            say("\(program): error while loading shared libraries: libre2.so.9: cannot open shared object file\n")
            exit(127)
        case .notConfined:
            say("claude-ssh-worker: open(/usr/bin/ssh): errno 2\n")
            exit(3)
        case .neverReady: while true { pause() }
        case .ghost: listForwards()
        case .mute, .listForwards, .pairForwards, .openCalls, .openCallsAndEnd, .recordCalls, .chatter, .haunt,
            .removeFile, .leaveTree, .askForMore, .giveSocket, .babble, .lieAboutCommand, .skipBeginning, .reuseCall,
            .fileInLine, .forwardInLine, .callInLine, .callWhenGone, .namesInLine, .speaksInLine, .lookAroundInLine,
            .floodInLine, .deafInLine:
            break
        }
        // As the worker it stands for: without the supervisor there is none.
        _ = csd_set_parent_death_signal(SIGKILL)
        send(.life(.ready(landlockABI: 6)))
        send(.life(.clientSpeaks))
        switch conduct {
        case .removeFile, .leaveTree, .askForMore, .giveSocket, .babble, .lieAboutCommand, .skipBeginning, .reuseCall:
            takeGate()
        case .fileInLine, .forwardInLine, .callInLine, .callWhenGone, .namesInLine, .speaksInLine, .lookAroundInLine,
            .floodInLine, .deafInLine:
            misbehaveInLine(conduct)
        case .mute, .listForwards, .pairForwards, .openCalls, .openCallsAndEnd, .recordCalls, .chatter, .haunt,
            .noLibrary, .notConfined, .neverReady, .ghost:
            break
        }
        switch conduct {
        case .mute: while true { pause() }
        case .listForwards:
            askForForwards()
            listForwards()
        case .pairForwards:
            beginCall()
            var id: UInt32 = 1
            while true {
                send(
                    .forwards(
                        .request(host: host, target: .tcp(host: "db", port: 1), localPort: 0, call: FileRequests.call)))
                send(.forwards(.cancel(forward: id, localPort: 0, host: "")))
                id = id % 64 + 1
            }
        case .openCalls:
            openCalls()
            askForForwards()
            listForwards()
        case .openCallsAndEnd:
            openCalls()
            exit(0)
        case .recordCalls:
            var id: UInt32 = 1
            while true {
                send(.audit(.begin(Self.largeCall)), id)
                send(.audit(.end(Self.fine)), id)
                id &+= 1
            }
        case .chatter:
            let line = String(repeating: "x", count: 4000) + "\n"
            while true { say(line) }
        case .haunt: haunt()
        case .removeFile:
            beginCall()
            files.ask(files.removal)
        case .leaveTree:
            beginCall()
            files.ask(files.lookAt("/etc/passwd"))
        case .lieAboutCommand:
            beginCall()
            tell("command", files.run("touch made"))
            while true { pause() }
        case .skipBeginning:
            files.askAlive()
            tell("command", files.run("touch made"))
            tell("files", files.openFiles(for: 1))
            tell("errand", files.runErrand())
            askForForward()
            while true { pause() }
        case .reuseCall:
            beginCall()
            send(.audit(.end(Self.fine)), FileRequests.call)
            // When this one has begun, the supervisor has heard of that end.
            beginCall(2)
            files.askAlive()
            tell("command", files.run("touch made"))
            tell("files", files.openFiles(for: 1))
            askForForward()
            while true { pause() }
        case .askForMore:
            beginCall()
            files.open(FileAccess(writes: true, base: nil))
            files.ask(files.removal)
        case .giveSocket: files.giveSocket()
        case .babble: files.babble()
        case .noLibrary, .notConfined, .neverReady, .ghost, .fileInLine, .forwardInLine, .callInLine, .callWhenGone,
            .namesInLine, .speaksInLine, .lookAroundInLine, .floodInLine, .deafInLine:
            exit(1)
        }
    }

    /// Waits for the answer to `clientSpeaks`.
    private func answer() -> Incoming<ToWorker> {
        do {
            while true {
                guard let incoming = try channel.receive(ToWorker.self) else { continue }
                switch incoming.message {
                case .life(.wait), .life(.proceed): return incoming
                case .life, .files, .audit, .forwards: continue
                }
            }
        } catch {
            fail("no answer: \(error)")
        }
    }

    /// Waits for the place, and has the channel to its gate as 5 then.
    func takeGate() {
        var answer = answer()
        guard answer.message == .life(.proceed), let gate = answer.descriptors.take() else { fail("no gate") }
        let copy = fcntl(gate.rawValue, F_DUPFD, 64)
        // It may have that number itself.
        _ = consume gate
        guard dup2(copy, FileRequests.gate) == FileRequests.gate else { fail("errno \(errno)") }
    }

    private func misbehaveInLine(_ conduct: Conduct) -> Never {
        guard answer().message == .life(.wait) else { fail("it has the place") }
        let call = AuditCall(tool: "ssh_exec", host: host, fields: [AuditCall.Field(.command, "invented")])
        switch conduct {
        case .fileInLine: send(.files(.open(path: "/etc/passwd")), 1)
        case .forwardInLine:
            send(.forwards(.request(host: host, target: .tcp(host: "db", port: 1), localPort: 0, call: 1)), 1)
        case .callInLine: send(.audit(.begin(call)), 1)
        case .callWhenGone:
            send(.life(.clientGone))
            send(.audit(.begin(call)), 1)
        case .namesInLine:
            send(.life(.clientNamed("one")))
            send(.life(.clientNamed("two")))
        case .speaksInLine: send(.life(.clientSpeaks))
        case .lookAroundInLine:
            let more = (5..<1024 as Range<Int32>).count { fcntl($0, F_GETFD) >= 0 }
            say("more descriptors: \(more)\n")
        case .floodInLine:
            var id: UInt32 = 1
            while true {
                send(.life(.callWaited), id)
                id &+= 1
            }
        case .deafInLine:
            while true {
                do { try channel.send(ToSupervisor.life(.callWaited), requestID: 1) } catch { exit(1) }
            }
        case .mute, .listForwards, .pairForwards, .openCalls, .openCallsAndEnd, .recordCalls, .chatter, .haunt,
            .noLibrary, .notConfined, .neverReady, .ghost, .removeFile, .leaveTree, .askForMore, .giveSocket, .babble,
            .lieAboutCommand, .skipBeginning, .reuseCall:
            break
        }
        while true { pause() }
    }

    /// A supervisor that does not take it any more is the end; answers are read as far as there are any, so that it is not
    /// this side that makes it wait.
    func send(_ message: ToSupervisor, _ id: UInt32 = 0) {
        var waste = [UInt8](repeating: 0, count: Frame.maximumSize)
        while recv(channel.rawValue, &waste, waste.count, Int32(MSG_DONTWAIT)) > 0 {}
        do {
            try channel.send(message, requestID: id)
        } catch {
            exit(1)
        }
    }

    private func say(_ text: String) {
        let bytes = Array(text.utf8)
        if write(STDERR_FILENO, bytes, bytes.count) < 0 { exit(1) }
    }

    private static let fine = AuditOutcome(rule: "", ending: .ok, exitCode: 0, bytesIn: 0, bytesOut: 0)

    /// Begins a call as an honest worker does that is asked to run something harmless.
    func beginCall(_ number: UInt32 = FileRequests.call) {
        let call = AuditCall(tool: "ssh_exec", host: host, fields: [.init(.command, "echo harmless")])
        do {
            try channel.send(ToSupervisor.audit(.begin(call)), requestID: number)
            while let answer = try channel.receive(ToWorker.self) {
                if case .audit(.begun) = answer.message { return }
            }
        } catch {
            fail("\(error)")
        }
    }

    private func tell(_ what: String, _ failure: SessionFailure?) {
        say("\(what): \(failure.map { "\($0)" } ?? "opened")\n")
    }

    private func askForForward() {
        do {
            let request = ToSupervisor.Forwards.request(
                host: host, target: .tcp(host: "127.0.0.1", port: 9), localPort: 0, call: FileRequests.call)
            try channel.send(ToSupervisor.forwards(request), requestID: 9)
            while let answer = try channel.receive(ToWorker.self) {
                if case .forwards(let word) = answer.message { return say("forward: \(word)\n") }
            }
        } catch {
            fail("\(error)")
        }
    }

    /// So that there are forwards to be looked at: of these nothing more is said.
    private func askForForwards() {
        beginCall()
        for port in 1...64 as ClosedRange<UInt16> {
            send(
                .forwards(
                    .request(host: host, target: .tcp(host: "db", port: port), localPort: 0, call: FileRequests.call)))
        }
    }

    private func listForwards() -> Never {
        while true { send(.forwards(.list)) }
    }

    /// As large as a packet can be, of text that has to be escaped.
    private static let largeCall = AuditCall(
        tool: "ssh_exec", host: "box",
        fields: [.command, .cwd, .path, .localPath, .remotePath, .remoteHost].map {
            AuditCall.Field($0, String(repeating: "\u{202E}", count: AuditCall.maximumText / 3))
        })

    /// As many as it may, and as large as its allowance for the audit log has room for.
    private func openCalls() {
        let text = String(repeating: "\u{202E}", count: 400)
        let call = AuditCall(tool: "ssh_exec", host: "box", fields: [AuditCall.Field(.command, text)])
        for id in 1...1000 as ClosedRange<UInt32> { send(.audit(.begin(call)), id + FileRequests.call) }
    }

    private func haunt() -> Never {
        // Out of the process group, which dies with this one.
        let descriptors = [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, clientDescriptor, channelDescriptor].map {
            fcntl($0, F_DUPFD, 16)
        }
        var pid: pid_t = 0
        let words = [program, Conduct.ghost.rawValue].map { (word: String) in strdup(word) } + [nil]
        let result = csd_spawn(&pid, program, words, [nil], descriptors, descriptors.count, 1)
        if result != 0 { fail("no ghost: errno \(result)") }
        exit(0)
    }
}
