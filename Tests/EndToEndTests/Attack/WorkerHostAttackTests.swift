import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// What a hostile program in the worker's place can do on the host, and with the user's own things here, where the config allows little.
@Suite struct WorkerHostAttackTests {
    /// The environment of a worker, and a socket that stands for the user's ssh-agent.
    private final class Agent {
        let place: TemporaryDirectory
        let listener: Int32
        var path: String { place.file("agent.sock") }

        init() throws {
            place = try TemporaryDirectory()
            let number = unixSocket()
            listener = number
            try withSocketAddress(place.file("agent.sock")) { address, length in
                guard bind(number, address, length) == 0, listen(number, 16) == 0 else {
                    throw HarnessError("listen: \(errnoText())")
                }
            }
        }

        deinit { close(listener) }

        /// Whether anybody has connected to it.
        var wasReached: Bool {
            var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            return poll(&waiting, 1, 0) > 0
        }
    }

    /// What `id` would have said.
    private static func isRun(_ seen: String) -> Bool { seen.contains("uid=") }

    /// Ways to have `id` run by a request for a command. None has a name that the config allows.
    private static let commands: [(name: String, command: String, directory: String, environment: [String: String])] = [
        ("id", "id", "", [:]), ("/usr/bin/id", "/usr/bin/id", "", [:]), ("git status; id", "git status; id", "", [:]),
        ("git status && id", "git status && id", "", [:]), ("git status | id", "git status | id", "", [:]),
        ("git status & id", "git status & id", "", [:]), ("a newline", "git status\nid", "", [:]),
        ("a carriage return and a newline", "git status\r\nid", "", [:]), ("$(id)", "git $(id)", "", [:]),
        ("backquotes", "git `id`", "", [:]), ("a process substitution", "git status <(id)", "", [:]),
        ("a quote that does not end", "git 'status\nid", "", [:]), ("a quoted name", "'git' status; 'i'd", "", [:]),
        ("a backslash before a newline", "git status \\\n; id", "", [:]),
        ("a function of git's name", "git() { id; }; git status", "", [:]),
        ("an alias of git's name", "alias git=id; git status", "", [:]),
        ("a loop", "for git in id; do $git; done", "", [:]),
        ("a here-document for a shell", "git status <<x; sh\nid\nx", "", [:]),
        ("eval", "eval git status; eval id", "", [:]),
        ("a subshell", "(id)", "", [:]), ("a condition", "if id; then git status; fi", "", [:]),
        ("a redirection into a start-up file", "git status > .bashrc", "", [:]),
        ("a variable before the command", "GIT_SSH_COMMAND=id git fetch ssh://x/y", "", [:]),
        ("PATH before the command", "PATH=/tmp git status", "", [:]),
        ("GIT_SSH_COMMAND as a variable", "git fetch ssh://x/y", "", ["GIT_SSH_COMMAND": "id >&2"]),
        ("GIT_EXTERNAL_DIFF as a variable", "git diff", "", ["GIT_EXTERNAL_DIFF": "id"]),
        ("BASH_ENV as a variable", "git status", "", ["BASH_ENV": "/tmp/x"]),
        ("ENV as a variable", "git status", "", ["ENV": "/tmp/x"]),
        ("PATH as a variable", "git status", "", ["PATH": "/tmp"]),
        ("LD_PRELOAD as a variable", "git status", "", ["LD_PRELOAD": "/tmp/x.so"]),
        ("SSH_AUTH_SOCK as a variable", "git fetch", "", ["SSH_AUTH_SOCK": "/tmp/agent"]),
        ("PAGER as a variable", "git -p log", "", ["PAGER": "id"]),
        ("a directory that is a command", "git status", "/tmp/$(id)", [:]),
        ("a directory with a quote", "git status", "/tmp/'; id; '", [:]),
        ("a directory with a newline", "git status", "/tmp\nid\n", [:]),
        ("a directory that begins with a tilde and more", "git status", "~/`id`", [:]),
        ("a directory that is an option", "git status", "-P; id", [:]),
        ("an escape of the terminal before it", "\u{1B}[2Jid", "", [:]),
        ("a space of another alphabet", "git\u{00A0}status;\u{2003}id", "", [:]),
        ("git's name with a letter of another alphabet", "g\u{0456}t status; id", "", [:]), ("nothing", "", "", [:]),
        ("a comment", "# git\nid", "", [:]),
    ]

    /// Other requests that have the host run something, and what they would have it run.
    private static func others(_ place: Place) -> [(name: String, request: GateRequest, input: String)] {
        let made = place.file("made")
        return [
            ("files over a shell, and id typed into it", .shell(host: "box", .requests, call: 1), "id\nid >\(made)\n"),
            (
                "content over a shell whose path is a command",
                .shell(
                    host: "box", .content(nonce: "abcd1234", path: Array("/tmp/$(id >\(made))".utf8), offset: 0),
                    call: 1),
                "x"
            ),
            (
                "try the shell, with a nonce that is a command", .errand(host: "box", .trial(nonce: "a;id;a;id;")),
                "id\n"
            ),
            (
                "probe the host, with a nonce that is a command", .errand(host: "box", .probe(nonce: "$(id)aaaaa")),
                "id\n"
            ),
            ("sweep, with a nonce that is a command", .errand(host: "box", .sweep(nonces: ["'; id; '"])), "id\n"),
            (
                "stop, with a nonce that is a command",
                .errand(host: "box", .stop([ObserverID(processID: 99, nonce: "'; id; '")])), "id\n"
            ),
            (
                "try the shell, and type id", .errand(host: "box", .trial(nonce: Nonce.make(marked: Puppet.unmarked))),
                "id\nid >\(made)\n"
            ),
            (
                "probe the host, and type id", .errand(host: "box", .probe(nonce: Nonce.make(marked: Puppet.unmarked))),
                "id\nid >\(made)\n"
            ),
            ("question the host, and type id", .errand(host: "box", .question), "id\nid >\(made)\n"),
        ]
    }

    /// Opens a session, types something into it, and says what comes out.
    private static func type(_ input: String, into request: GateRequest, _ puppet: Puppet) throws -> String {
        let session = try puppet.open(request)
        defer { for end in [session.input, session.output, session.error] { puppet.drop(end) } }
        guard session.answer == "opened" else { return session.answer }
        signal(SIGPIPE, SIG_IGN)
        let bytes = Array(input.utf8)
        _ = write(session.input, bytes, bytes.count)
        puppet.drop(session.input)
        let said = try Puppet.readAll(session.output) + Puppet.readAll(session.error)
        return isRun(said) ? "it ran: \(said)" : "opened; id is not run"
    }

    @Test(
        "a hostile program in the worker's place cannot run id on the host, where exec is off or lists git alone",
        arguments: ["exec off", "exec_allowlist: git "])
    func id(config: String) throws {
        let isOff = config == "exec off"
        let agent = try Agent()
        let patch: JSON =
            isOff
            ? ["capabilities": ["exec": false, "file_write": false]]
            : ["hosts": ["box": ["exec_allowlist": ["git "]]], "capabilities": ["file_write": false]]
        let stage = try AttackStage(
            patch, environment: ["SSH_AUTH_SOCK": agent.path, "DBUS_SESSION_BUS_ADDRESS": "unix:path=\(agent.path)"])
        defer { stage.stop() }
        let table = AttackTable("A hostile program in the worker's place wants to run `id` on the host: \(config)")
        let refused = isOff ? "refused: capability" : "refused: exec_allowlist"
        // What names git alone may run: as another command than id.
        let harmless = [
            "a directory that is a command", "a directory with a quote", "a directory with a newline",
            "a directory that begins with a tilde and more", "a directory that is an option",
        ]
        for (name, command, directory, environment) in Self.commands {
            let isHarmless = !isOff && harmless.contains(name)
            table.row("a command: \(name)", isHarmless ? "id is not run" : refused) {
                try stage.hijack { puppet in
                    try puppet.begin()
                    let command = Puppet.command(command, directory: directory, environment: environment)
                    let judged = try command.requests.map { try puppet.ask($0.judge) } ?? "too long"
                    let seen = try puppet.run(command)
                    if Self.isRun(seen) { return "it ran: \(seen)" }
                    if isHarmless { return "id is not run" }
                    return judged == seen ? seen : "judged: \(judged), then: \(seen)"
                }
            }
        }
        let expected: [String: String] =
            isOff
            ? [
                "try the shell, and type id": "refused: errand", "probe the host, and type id": "opened; id is not run",
                "question the host, and type id": "opened; id is not run",
            ]
            : [
                "try the shell, and type id": "opened; id is not run",
                "probe the host, and type id": "opened; id is not run",
                "question the host, and type id": "opened; id is not run",
            ]
        for (name, request, input) in Self.others(stage.place) {
            let isShell = name.hasPrefix("files over") || name.hasPrefix("content over")
            table.row(name, expected[name] ?? (isShell ? "refused: filesOverShell" : "refused: errand")) {
                try stage.hijack { puppet in
                    try puppet.begin()
                    return try Self.type(input, into: request, puppet)
                }
            }
        }
        if !isOff {
            table.row(
                "git's own ways to run programs, which an entry `git ` allows (SECURITY.md)",
                "it runs: the list names programs, not effects"
            ) {
                try stage.hijack { puppet in
                    try puppet.begin()
                    let seen = try puppet.run(Puppet.command("git -c alias.x='!id' x"))
                    return Self.isRun(seen) ? "it runs: the list names programs, not effects" : seen
                }
            }
        }
        table.row("files that were made", "none") {
            try stage.place.names.joined(separator: ", ").isEmpty ? "none" : "some"
        }
        table.row("the user's ssh-agent", "reached by nobody, and its path is unknown to worker and gate") {
            let seen = try stage.hijack { puppet in
                // An ordinary user may not read that of a gate or of a real worker, which are not dumpable; the puppet's always.
                let all = stage.children.compactMap { pid in
                    try? String(contentsOfFile: "/proc/\(pid)/environ", encoding: .utf8)
                }
                guard !all.isEmpty else { return "no environment is to be read" }
                return all.contains { $0.contains("agent.sock") }
                    ? "its path is known" : "its path is unknown to worker and gate"
            }
            return (agent.wasReached ? "REACHED, and " : "reached by nobody, and ") + seen
        }
        table.row("the ControlMaster", "lives") { try stage.remote.master.isAlive() ? "lives" : "has ended" }
        table.row("afterwards: sessions on the host", "none") { stage.sessionsLeft() }
        table.finish()
    }

    // MARK: Files

    /// A packet of SFTP, version 3 of the draft.
    private static func packet(_ type: UInt8, _ fields: [UInt8]...) -> [UInt8] {
        let body = [type] + fields.flatMap { $0 }
        return number(UInt32(body.count)) + body
    }

    private static func number(_ value: UInt32) -> [UInt8] {
        (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    private static func text(_ text: String) -> [UInt8] { number(UInt32(text.utf8.count)) + Array(text.utf8) }

    private static let greeting = packet(1, number(3))
    private static let id = number(7)
    private static let noAttributes = number(0)

    /// Opens the host's files, sends this in these pieces, and says what became of the worker and whether the server answered it.
    private static func send(_ pieces: [[UInt8]], _ access: FileAccess, _ puppet: Puppet, _ stage: AttackStage) throws
        -> String
    {
        try puppet.begin()
        let session = try puppet.open(.sftp(host: "box", access, call: 1))
        guard session.answer == "opened" else { return session.answer }
        signal(SIGPIPE, SIG_IGN)
        for piece in pieces where !piece.isEmpty {
            var waiting = pollfd(fd: session.input, events: Int16(POLLOUT), revents: 0)
            guard poll(&waiting, 1, 20_000) == 1, write(session.input, piece, piece.count) == piece.count else { break }
        }
        // Where no answer comes the gate has it, and ends the worker.
        var answers: [UInt8] = []
        let deadline = Deadline(in: .seconds(30))
        while !deadline.hasPassed {
            var waiting = pollfd(fd: session.output, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20_000) == 1 else { break }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = read(session.output, &chunk, chunk.count)
            guard count > 0 else { break }
            answers += chunk[..<count]
            if hasAnswer(answers) { break }
        }
        let verdict = try stage.verdict(puppet)
        return hasAnswer(answers) ? "answered; \(verdict)" : verdict
    }

    /// Whether a packet with the id of the requests is there.
    private static func hasAnswer(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while rest.count >= 9 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard rest.count >= 4 + length else { return false }
            if rest.dropFirst(5).prefix(4).elementsEqual(id) { return true }
            rest = rest.dropFirst(4 + length)
        }
        return false
    }

    @Test("an SFTP channel is held to file_write and base_dir, packet by packet and in any pieces")
    func files() throws {
        let tree = try Place()
        try tree.write("f", "content")
        let base = tree.directory.path
        let stage = try AttackStage([
            "hosts": ["box": ["base_dir": .string(base)]], "capabilities": ["file_write": false],
        ])
        defer { stage.stop() }
        let access = FileAccess(writes: false, base: FileAccess.plain(base))
        let table = AttackTable("A worker sends over SFTP what only reading in base_dir does not allow")
        let writing = "ended: it asked over SFTP to change something where file_write is off"
        let outside = "ended: it named over SFTP a path outside base_dir"
        let never = "ended: it sent on an SFTP channel what no worker sends"
        let home = stage.remote.sshd.loginUser.home
        func text(_ value: String) -> [UInt8] { Self.text(value) }
        let (id, none) = (Self.id, Self.noAttributes)
        func open(_ path: String, _ flags: UInt32) -> [UInt8] {
            Self.packet(3, id, text(path), Self.number(flags), none)
        }
        let f = base + "/f"
        let packets: [(String, [UInt8], String)] = [
            ("looks at a file", Self.packet(17, id, text(f)), "answered; lives"),
            ("opens a file for reading", open(f, 1), "answered; lives"),
            ("opens it for writing", open(f, 2), writing), ("for both", open(f, 3), writing),
            ("makes a file", open(base + "/g", 0x0A), writing), ("empties it", open(f, 0x12), writing),
            ("opens it with no flag at all", open(f, 0), writing),
            ("appends to it", open(f, 6), never), ("opens it with a flag of a later version", open(f, 0x41), never),
            (
                "opens it for reading, and sets its mode",
                Self.packet(3, id, text(f), Self.number(1), Self.number(4), Self.number(0o777)), writing
            ),
            (
                "writes by a handle that it made up",
                Self.packet(6, id, text("h"), Self.number(0), Self.number(0), text("x")), writing
            ),
            ("removes a file", Self.packet(13, id, text(f)), writing),
            ("makes a directory", Self.packet(14, id, text(base + "/d"), none), writing),
            ("removes a directory", Self.packet(15, id, text(base)), writing),
            ("sets attributes by path", Self.packet(9, id, text(f), none), never),
            ("sets attributes by handle", Self.packet(10, id, text("h"), none), writing),
            ("renames", Self.packet(18, id, text(f), text(base + "/g")), never),
            ("makes a link that leads out", Self.packet(20, id, text("/etc/passwd"), text(base + "/l")), never),
            (
                "renames by an extension",
                Self.packet(200, id, text("posix-rename@openssh.com"), text(f), text(base + "/g")), writing
            ),
            (
                "makes a hard link", Self.packet(200, id, text("hardlink@openssh.com"), text(f), text(base + "/g")),
                writing
            ),
            ("flushes", Self.packet(200, id, text("fsync@openssh.com"), text("h")), writing),
            ("copies on the host", Self.packet(200, id, text("copy-data"), text("h")), never),
            ("expands a path", Self.packet(200, id, text("expand-path@openssh.com"), text("~root")), never),
            ("asks for the home of somebody", Self.packet(200, id, text("home-directory"), text("root")), never),
            ("an extension without a name", Self.packet(200, id, text("")), never),
            ("a start-up file", open(home + "/.bashrc", 0x1A), outside),
            ("the keys that let in", open(home + "/.ssh/authorized_keys", 0x0A), outside),
            ("a start-up file, for reading", open(home + "/.bashrc", 1), outside),
            ("/etc/passwd", open("/etc/passwd", 1), outside), ("a relative path", open("f", 1), outside),
            ("an empty path", open("", 1), outside), ("..", open(base + "/../../etc/passwd", 1), outside),
            (".. that stays inside", open(base + "/x/../f", 1), outside),
            ("a neighbour of the same beginning", open(base + "x/f", 1), outside),
            ("a NUL in the path", open(f + "\u{0}/../../etc/passwd", 1), outside),
            ("a tilde", open("~/.bashrc", 1), outside),
            ("lists a directory outside", Self.packet(11, id, text("/etc")), outside),
            ("resolves a path outside", Self.packet(16, id, text("/etc")), outside),
            ("reads a link outside", Self.packet(19, id, text("/proc/self/exe")), outside),
            ("looks at the file system outside", Self.packet(200, id, text("statvfs@openssh.com"), text("/")), outside),
            ("the type of an answer", Self.packet(101, id, Self.number(0)), never),
            ("a type that there is not", Self.packet(77, id), never),
            ("INIT again", Self.greeting, never), ("a packet of no bytes", Self.number(0) + [17], never),
            ("a packet of 4 GiB", Self.number(.max) + [3] + id, never),
            ("a packet of 17,000 bytes", Self.number(17_000) + [17] + id, never),
            ("a WRITE of 300,000 bytes", Self.number(300_000) + [6] + id, never),
            (
                "a path longer than its packet",
                Self.number(13) + [17] + id + Self.number(4000) + [0x2F, 0x2F, 0x2F, 0x2F], never
            ),
            ("bytes behind the last field", Self.packet(17, id, text(f), [0]), never),
        ]
        for (name, packet, expected) in packets {
            table.row(name, expected) {
                try stage.hijack { puppet in try Self.send([Self.greeting, packet], access, puppet, stage) }
            }
        }
        table.row("a request before INIT", never) {
            try stage.hijack { puppet in try Self.send([Self.packet(17, id, text(f))], access, puppet, stage) }
        }
        table.row("INIT of version 6", never) {
            try stage.hijack { puppet in try Self.send([Self.packet(1, Self.number(6))], access, puppet, stage) }
        }
        let removal = Self.packet(13, id, text(f))
        for place in stride(from: 1, to: removal.count, by: 3) {
            table.row("removes a file, in two pieces, split behind byte \(place)", writing) {
                try stage.hijack { puppet in
                    try Self.send(
                        [Self.greeting, Array(removal[..<place]), Array(removal[place...])], access, puppet, stage)
                }
            }
        }
        let harmless = Self.packet(17, Self.number(1), text(f))
        let hidden = harmless + harmless + removal
        table.row("the same behind allowed ones, byte by byte", writing) {
            try stage.hijack { puppet in
                try Self.send([Self.greeting] + hidden.map { [$0] }, access, puppet, stage)
            }
        }
        table.row("an allowed one, byte by byte", "answered; lives") {
            try stage.hijack { puppet in
                try Self.send(
                    Self.greeting.map { [$0] } + Self.packet(17, id, text(f)).map { [$0] }, access, puppet, stage)
            }
        }
        let wider: [(String, FileAccess)] = [
            ("asks for a channel that may write", FileAccess(writes: true, base: access.base)),
            ("asks for one without base_dir", FileAccess(writes: false, base: nil)),
            ("asks for one with another base_dir", FileAccess(writes: false, base: "/")),
            ("asks for one with a base_dir below it", FileAccess(writes: false, base: (access.base ?? "") + "/d")),
        ]
        for (name, other) in wider {
            table.row(name, "refused: otherAccess") {
                try stage.hijack { puppet in
                    try puppet.begin()
                    return try puppet.tryOpen(.sftp(host: "box", other, call: 1))
                }
            }
        }
        table.row("the file afterwards", "as it was, alone") {
            try tree.content("f") == "content" && tree.names == ["f"] ? "as it was, alone" : "changed"
        }
        table.row("afterwards: sessions on the host", "none") { stage.sessionsLeft() }
        table.finish()
    }

    @Test(
        "with file_write and no base_dir a worker may write a start-up file: that is what the config allows",
        .enabled(if: Account.canCreate, "only root can make accounts"))
    func startupFile() throws {
        // The account of the tests' own user must not be touched: root's tests log in elsewhere.
        let stage = try AttackStage(["capabilities": ["exec": false]])
        defer { stage.stop() }
        let table = AttackTable("exec is off, file_write is on, and there is no base_dir")
        let home = stage.remote.sshd.loginUser.home
        let path = home + "/.csd-startup"
        defer { unlink(path) }
        table.row("writes a file in the home of the login", "answered; lives") {
            try stage.hijack { puppet in
                let open = Self.packet(3, Self.id, Self.text(path), Self.number(0x1A), Self.noAttributes)
                return try Self.send([Self.greeting, open], FileAccess(writes: true, base: nil), puppet, stage)
            }
        }
        table.finish()
    }

    // MARK: Local files

    @Test("local files: what is not in local_roots, is protected, or is not the worker's own is not opened")
    func localFiles() throws {
        let roots = try Place()
        try roots.write("f", "content")
        let secret = try TemporaryDirectory()
        try secret.write("key", "secret")
        let stage = try AttackStage(["local_roots": [.string(roots.directory.path)]])
        defer { stage.stop() }
        let table = AttackTable("A worker asks for local files")
        let base = roots.directory.path
        symlink(secret.file("key"), roots.file("link"))
        mkfifo(roots.file("fifo"), 0o600)
        /// The answer of the broker, or of the supervisor.
        func ask(_ puppet: Puppet, _ message: ToSupervisor.Files) throws -> String {
            let id = puppet.newRequest()
            try puppet.supervisor.say(ToSupervisor.files(message), id)
            var broker: RawChannel?
            let direct =
                try puppet.supervisor.hear(ToWorker.self) { word, answered, descriptors in
                    switch word {
                    case .files(.broker):
                        broker = descriptors.first.map { RawChannel(taking: fcntl($0, F_DUPFD_CLOEXEC, 3)) }
                        return nil
                    case .files(.answered) where answered == id: return "answered"
                    case .files(.failed(let why)) where answered == id: return "failed: \(why)"
                    case .files, .life, .audit, .forwards: return nil
                    }
                } ?? "the supervisor has gone"
            guard direct == "answered", let broker else { return direct }
            return try broker.hear(FileAnswer.self) { word, answered, descriptors in
                guard answered == id else { return nil }
                for descriptor in descriptors { close(descriptor) }
                switch word {
                case .opened(let size): return "opened \(size)"
                case .created: return "made"
                case .committed: return "named"
                case .refused: return "refused"
                }
            } ?? "the broker has gone"
        }
        let cases: [(String, ToSupervisor.Files, String)] = [
            ("a file of local_roots", .open(path: base + "/f"), "opened 7"),
            ("a file outside", .open(path: secret.file("key")), "refused"),
            ("/etc/shadow", .open(path: "/etc/shadow"), "refused"),
            ("its own policy's config", .open(path: stage.daemon.configFile), "refused"),
            ("by ..", .open(path: base + "/../" + secret.path.dropFirst(5) + "/key"), "refused"),
            ("by a link that leads out", .open(path: base + "/link"), "refused"),
            ("a FIFO", .open(path: base + "/fifo"), "refused"),
            ("a directory", .open(path: base), "refused"), ("a relative path", .open(path: "f"), "refused"),
            ("no path", .open(path: ""), "refused"), ("a NUL in the path", .open(path: base + "/f\u{0}x"), "refused"),
            ("/proc/self/mem", .open(path: "/proc/self/mem"), "refused"),
            ("makes a file in local_roots, that nobody names", .create(path: base + "/g"), "made"),
            ("makes one outside", .create(path: secret.file("new")), "refused"),
            ("makes one in the place of the config", .create(path: stage.daemon.configFile), "refused"),
            ("makes the user's start-up file", .create(path: stage.daemon.runtimeDirectory + "/.bashrc"), "refused"),
            ("names a file that it did not make", .commit(handle: 1, mode: 0o644), "failed: noSuchDownload"),
            ("names one of the largest number", .commit(handle: .max, mode: 0o644), "failed: noSuchDownload"),
        ]
        for (name, message, expected) in cases {
            table.row(name, expected) { try stage.hijack { try ask($0, message) } }
        }
        table.row("speaks to the broker", "it cannot") {
            try stage.hijack { puppet in
                try puppet.supervisor.say(ToSupervisor.files(.open(path: base + "/f")), 5)
                let end = try puppet.supervisor.hear(ToWorker.self) { word, _, descriptors in
                    if case .files(.broker) = word { return descriptors.first } else { return nil }
                }
                guard let end else { return "no broker" }
                let broker = RawChannel(taking: end)
                let code = try broker.say(ToFileBroker.open(path: "/etc/passwd"), 6)
                return code == EPIPE ? "it cannot" : "errno \(code)"
            }
        }
        table.row("a broker that is killed under a request", "failed or answered; the next one opens") {
            try stage.hijack { puppet in
                _ = try ask(puppet, .open(path: base + "/f"))
                for broker in stage.daemon.fileBrokers() { kill(broker.pid, SIGKILL) }
                let id = puppet.newRequest()
                try puppet.supervisor.say(ToSupervisor.files(.open(path: base + "/f")), id)
                // The channel of the next broker comes before the answer, and must stay open for what that one says.
                var brokers: [RawChannel] = []
                defer { withExtendedLifetime(brokers) {} }
                let answered: Bool? = try puppet.supervisor.hear(ToWorker.self) { word, answered, descriptors in
                    switch word {
                    case .files(.broker):
                        brokers += descriptors.map { RawChannel(taking: fcntl($0, F_DUPFD_CLOEXEC, 3)) }
                        return nil
                    case .files where answered == id: return true
                    case .files, .life, .audit, .forwards: return nil
                    }
                }
                guard answered == true else { return "no answer" }
                let next = try ask(puppet, .open(path: base + "/f"))
                return "failed or answered; " + (next == "opened 7" || next == "answered" ? "the next one opens" : next)
            }
        }
        table.row("the files afterwards", "f fifo link") { try roots.names.joined(separator: " ") }
        table.finish()
    }
}
