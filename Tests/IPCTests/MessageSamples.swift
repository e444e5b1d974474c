@testable import IPC

/// A direction whose every message has samples.
protocol SampledMessage: IPCMessage {
    static var samples: [Self] { get }
    /// Subject and number of every message of the direction, as `kinds` of its subjects have them.
    static var all: Set<[UInt8]> { get }
    /// Bytes of those: 1 where there are no subjects.
    static var identityLength: Int { get }
}

extension SampledMessage {
    static var identityLength: Int { 2 }

    /// Subject and number.
    var identity: [UInt8] {
        (try? encoded(requestID: 0)).map { Array($0[Frame.headerSize..<Frame.headerSize + Self.identityLength]) } ?? []
    }
}

/// The identities of the messages of a subject.
private func identities(_ subject: UInt8, _ kinds: [some MessageChoice]) -> Set<[UInt8]> {
    Set(kinds.map { [subject, $0.number] })
}

/// Texts at the edges of what a field holds.
private let extremeTexts = [
    "", "a", "\0", "line\r\n\u{1E}", "\u{10FFFF}\u{FEFF}é漢🧑‍🧑‍🧒", String(repeating: "x", count: Frame.maximumText),
    String(repeating: "漢", count: Frame.maximumText / 3),
]

/// A call that says all that one can say.
private let fullest = AuditCall(
    tool: String(repeating: "t", count: 1000), host: String(repeating: "漢", count: 1000),
    fields: AuditKey.allCases.filter { $0 != .env }.map { .init($0, String(repeating: "漢", count: 5000)) }
        + (0..<100).map { .init(.env, String(repeating: "E", count: 90) + "\($0)") })

/// Texts that a failure carries whole.
private let shortTexts = extremeTexts.filter { $0.utf8.count < 8192 } + [String(repeating: "x", count: 8192)]

/// Paths as long as the kernel resolves them.
private let paths =
    extremeTexts.filter { $0.utf8.count < 4096 } + [
        String(repeating: "x", count: 4095), String(repeating: "漢", count: 1365),
    ]

private let localFailures: [LocalFailure] =
    [
        .closed, .clientGone, .tooMany, .downloads(.max), .noSuchDownload, .waited, .stuck(4),
        .undelivered(errno: .max), .leaving(16),
    ]
    + shortTexts.flatMap { text in
        [
            .silent(path: text), .commitUnknown(path: text), .lost(path: text, silent: text), .unsteady(path: text),
        ] as [LocalFailure]
    }
    + programFailures.flatMap { failure in
        [
            .commitUnknownAfter(failure, path: "/é"), .lostAfter(failure, path: "/é"), .ended(failure),
            .unavailable(failure),
        ] as [LocalFailure]
    }

/// Every kind, with fields that differ.
private let programFailures: [ProgramFailure] =
    ProgramFailure.kinds + [
        .notExecuted(errno: .max), .notStarted(errno: 24), .ssh(path: "/é", .notExecutable(errno: 0x0102_0304)),
        .ssh(path: String(repeating: "x", count: 4096), .isNoELF),
    ] + [.clean, .exited(status: .max), .violation, .signalled(11)].map { .ended($0) }

private let clientRefusals: [ClientRefusal] =
    shortTexts.flatMap { text in
        let client = ClientInTheWay(
            pid: 0x0102_0304, program: text.utf8.count <= 512 ? text : "/é", name: text.utf8.count <= 100 ? text : "é",
            seconds: .max)
        return [.occupied(socket: "/é", by: client, waited: 1), .noPlace] as [ClientRefusal]
    }
    + programFailures.map { .noWorker($0) }

extension ToFileBroker: SampledMessage {
    static var identityLength: Int { 1 }
    static var all: Set<[UInt8]> { Set(kinds.map { [$0.number] }) }

    static var samples: [ToFileBroker] {
        [.setup, .policy, .commit(handle: .max, mode: 0o755), .abandon(handle: 0)] + paths.map { .open(path: $0) }
            + paths.map { .create(handle: 0x0102_0304, path: $0) }
    }
}

extension FromFileBroker: SampledMessage {
    static var identityLength: Int { 1 }
    static var all: Set<[UInt8]> { Set(kinds.map { [$0.number] }) }

    static var samples: [FromFileBroker] {
        [
            .looking(place: .max), .ready(landlockABI: 7), .done, .refused, .rootChanged(root: 0x0102_0304),
            .undelivered(errno: .max),
        ]
    }
}

extension FileAnswer: SampledMessage {
    static var identityLength: Int { 1 }
    static var all: Set<[UInt8]> { Set(kinds.map { [$0.number] }) }

    static var samples: [FileAnswer] {
        [
            .opened(size: 0), .opened(size: UInt64(Int64.max)), .created(handle: .max), .committed(path: ""),
            .committed(path: String(repeating: "p", count: Frame.maximumPath)),
        ]
            + shortTexts.filter { $0.utf8.count <= 7168 }.map { .refused(rule: "local_roots", reason: $0) }
    }
}

private let masterDowns: [MasterDown] =
    MasterDown.kinds + [
        .dead(errno: 111, .own), .dead(errno: .max, .foreign(userID: 7)), .foreign(userID: 0x0102_0304),
        .otherVersion(5), .unavailable(errno: 24),
    ]

private let masterStates: [MasterState] =
    [.alive(masterPID: 0), .alive(masterPID: .max)] + masterDowns.map { .down($0) }

private let forwardOutcomes: [ForwardOutcome] =
    ForwardOutcome.kinds + [.opened(masterPID: .max)] + PolicyRule.allCases.map { .notAllowed($0) }
    + masterDowns.map { .down($0) }

private let forwardOrders: [ForwardOrder] = [
    ForwardRoute(
        master: Master(socket: "/s", user: "u", address: "h"), localPort: 0x0102,
        target: .tcp(host: "db.internal", port: 0x0304))
].flatMap { [.open(host: "é", $0), .open(host: "", $0), .close($0)] }

extension ToGate: SampledMessage {
    static var identityLength: Int { 1 }
    static var all: Set<[UInt8]> { Set(kinds.map { [$0.number] }) }

    static var samples: [ToGate] {
        [.setup(policy: 1), .setup(policy: 2, transport: .ssh), .policy(.max), .connected, .sshConnection, .noted]
            + (ConnectFailure.kinds + [
                .dead(errno: 111, .noDirectory), .foreign(userID: .max), .unavailable(errno: 24),
            ]).map {
                .notConnected($0)
            } + forwardOrders.map { .forward($0) }
    }
}

extension FromGate: SampledMessage {
    static var identityLength: Int { 1 }
    static var all: Set<[UInt8]> { Set(kinds.map { [$0.number] }) }

    static var samples: [FromGate] {
        [
            .ready(landlockABI: 7), .connect(host: 0, policy: 1), .connect(host: 0x0102_0304, policy: .max),
            .opened(.sftp, host: 0x0102_0304, policy: .max), .sshConnected, .policyTaken(0x0102_0304),
        ] + WorkerViolation.allCases.map { .violation($0) }
            + forwardOutcomes.map { .forward($0) }
            + reports.flatMap { report in
                [.open(report, host: 0x0102_0304, policy: .max), .admit(report, policy: 0x0102_0304)]
                    + PolicyRule.allCases.map { .refused(report, $0) }
            }
    }

    private static var reports: [GateReport] {
        let command = GateCommand(
            host: String(repeating: "h", count: GateRequest.maximumHostName),
            command: String(repeating: "漢", count: 5000), directory: String(repeating: "d", count: 5000),
            environment: Dictionary(uniqueKeysWithValues: (0..<100).map { ("V\($0)", "secret") }), seconds: 1,
            nonce: "abcd1234", call: .max)
        return [
            GateReport(command), GateReport(host: "a", call: 1, .requests),
            GateReport(host: "a", call: 1, .content(nonce: "abcd1234", path: [0x2F, 0xFF], offset: 1)),
            GateReport(host: "é", call: 0x0102_0304, .files(writes: true)),
            GateReport(host: "", call: 0, .forward([.init(.remoteHost, "db"), .init(.remotePort, "5432")])),
        ] + ErrandKind.allCases.map { GateReport(host: "a", call: 0, .errand($0)) }
    }
}

extension GateRequest: SampledMessage {
    static var identityLength: Int { 1 }
    static var all: Set<[UInt8]> { Set(kinds.map { [$0.number] }) }

    static var samples: [GateRequest] {
        let names = ["", "a", "\0", "line\r\n\u{1E}", "é漢🧑‍🧑‍🧒", String(repeating: "x", count: maximumHostName)]
        return names.map { .alive(host: $0) } + names.map { .exports(host: $0, true) }
            + names.map { .sftp(host: $0, FileAccess(writes: true, base: nil)) }
            + paths.map { .sftp(host: "a", FileAccess(writes: false, base: $0)) } + [.close]
            + extremeTexts.map { .words($0) }
            + extremeTexts.map { .exec(host: "é", seconds: .max, nonce: "abcd1234", words: $0) }
            + errands.map { .errand(host: "box", $0) } + shells.map { .shell(host: "box", $0) }
            + sessions.map { .ticket(TicketRequest($0)) }
            + extremeTexts.map { .judge(host: "é", seconds: .max, nonce: "abcd1234", words: $0, call: .max) }
            + [
                .sftp(host: "a", FileAccess(writes: true, base: nil), call: 0x0102_0304),
                .shell(host: "a", .requests, call: .max),
                .exec(host: "a", seconds: 1, nonce: "abcd1234", words: "x", call: .max),
                .judgeForward(
                    host: "é", target: .tcp(host: String(repeating: "t", count: 253), port: .max), call: .max),
                .judgeForward(host: "a", target: .unix(path: "/run/é"), call: 1),
            ]
    }

    private static var sessions: [GateRequest] {
        kinds.filter { $0.descriptorCount > 0 } + [.exec(host: "é", seconds: .max, nonce: "abcd1234", words: "a\0b\0")]
            + errands.map { .errand(host: "box", $0) } + shells.map { .shell(host: "box", $0) }
    }

    private static var shells: [ShellSession] {
        ShellSession.kinds
            + [[], [0], Array(0...255), [UInt8](repeating: 0xFF, count: Frame.maximumPath)].map {
                .content(nonce: "abcd1234", path: $0, offset: .max)
            }
    }

    private static var errands: [Errand] {
        let observer = ObserverID(processID: .max, nonce: String(repeating: "x", count: Nonce.maximumSize))
        return Errand.kinds + [
            .stop([observer]), .stop(Array(repeating: observer, count: Int(Errand.maximumStops))),
            .probe(nonce: "a"), .trial(nonce: "é"), .sweep(nonces: ["", "a"]),
            .sweep(nonces: Array(repeating: observer.nonce, count: Int(Errand.maximumSwept))),
        ]
    }
}

extension GateAnswer: SampledMessage {
    static var identityLength: Int { 1 }
    static var all: Set<[UInt8]> { Set(kinds.map { [$0.number] }) }

    static var samples: [GateAnswer] {
        [
            .ready(mark: ""), .ready(mark: Nonce.makeMark()), .opened, .ended, .allowed, .exited(status: 0),
            .exited(status: .max),
        ]
            + masterStates.map { .master($0) }
            + sessionFailures.map { .notOpened($0) }
            + ["", "é", String(repeating: "x", count: Nonce.maximumSize)].map { .ticket($0) }
            + refusals.map { .refused(GateRefusal(host: "box", $0)) }
    }

    /// Every kind, with fields that differ.
    private static var refusals: [GateRefusal.Reason] {
        let shown = String(repeating: "漢", count: GateRefusal.shown)
        let entries = (0..<GateRefusal.shownEntries).map { "entry \($0)" }
        return GateRefusal.Reason.kinds + ShellDoubt.allCases.map { .doubt($0) }
            + Capability.allCases.map { .capability($0) } + [
                .variable(name: "é"), .redirection(operation: ">", target: "a", command: "b"),
                .builtin(program: "eval", command: "c"), .printf(command: "d"),
                .assignment(name: "a", command: "b", beginning: "c"),
                .notCovered(command: shown, beginning: shown, isChange: true, entries: entries, more: .max),
                .deletes(found: "rm", isUnreadable: true), .noDirectory(base: "/é"),
                .outside(base: "/srv", path: shown),
                .forward(target: .tcp(host: "::1", port: 0x0102), entries: entries, more: 0x0304_0506),
                .linkLocal(target: "a"),
                .socketTarget(path: "/run/s"),
            ]
    }

    private static var sessionFailures: [SessionFailure] {
        let downs = masterStates.compactMap { state -> MasterDown? in
            switch state {
            case .alive: nil
            case .down(let why): why
            }
        }
        let reasons = ["", "a", "\0", "é漢", String(repeating: "x", count: SessionFailure.maximumReason)]
        return GateRule.allCases.map { .refused($0) } + [.byHost, .closed(wasAsked: true), .closed(wasAsked: false)]
            + [.tooLong(bytes: .max, limit: 1)] + refusals.map { .notAllowed(GateRefusal(host: "box", $0)) }
            + reasons.map { .ssh($0) } + reasons.map { .byMaster(reason: $0) } + downs.map { .down($0) }
            + downs.map { .unknown($0) }
    }
}

extension ToWorker: SampledMessage {
    static var all: Set<[UInt8]> {
        identities(1, Life.kinds).union(identities(2, Files.kinds)).union(identities(3, Audit.kinds))
            .union(identities(4, Forwards.kinds))
    }

    static var samples: [ToWorker] {
        lifeSamples.map { .life($0) } + fileSamples.map { .files($0) } + [.audit(.begun)]
            + forwardSamples.map { .forwards($0) }
    }

    private static var lifeSamples: [Life] {
        [.setup(.serve), .setup(.check), .policy, .proceed, .wait]
            + [0, 1, 0x0102_0304, UInt32.max].map { .drain(milliseconds: $0) }
            + clientRefusals.flatMap { [.setup(.refuse($0)), .refuseClient($0), .refuseCall($0)] as [Life] }
    }

    private static var fileSamples: [Files] {
        [0, UInt32.max].flatMap { [.broker($0), .answered(broker: $0, handle: $0), .brokerEnded($0)] as [Files] }
            + localFailures.map { .failed($0) }
    }

    private static var forwardSamples: [Forwards] {
        let entry = ForwardEntry(
            forward: .max, host: "box", localPort: 1, target: .tcp(host: "::1", port: .max), since: .max,
            trouble: .notCancelled)
        let troubled =
            ForwardTrouble.allCases.map {
                ForwardEntry(
                    forward: 1, host: "h", localPort: 2, target: .tcp(host: "r", port: 3), since: 4, trouble: $0)
            } + [ForwardEntry(forward: 1, host: "h", localPort: 2, target: .tcp(host: "r", port: 3), since: 4)]
        return [
            .list([]), .list([entry, entry]),
            .list(Array(repeating: entry, count: 64)), .list(troubled),
            .running(forward: 0x0102_0304, localPort: 5, since: .max),
            .closed(entry),
        ] + extremeTexts.map { .refused(.notWrittenAmongOthers(directory: $0)) } + refusalSamples.map { .refused($0) }
    }

    /// Every kind, with fields that differ.
    private static var refusalSamples: [ForwardRefusal] {
        ForwardRefusal.kinds + [
            .notAllowed(host: "é"), .notWritten(path: "/é", errno: 0x0102_0304),
            .portOfForward(localPort: 0x0102, forward: 0x0304_0506),
            .portTaken(localPort: .max), .namesTooLong(host: "a"), .allowedNoMore(host: "a"),
            .notListening(host: "a", localPort: 1), .notOpened(host: "a", localPort: 2, wasNamed: true),
            .masterSilent(host: "a"),
            .noSuchForward(forward: 1, localPort: 2, host: "a"), .busy(forward: .max),
        ]
            + forwardOutcomes.map {
                .stillOpen(
                    forward: 7, $0,
                    route: ForwardRoute(
                        master: Master(socket: "/s", user: "u", address: "h"), localPort: 1,
                        target: .tcp(host: "d", port: 2)))
            }
            + masterDowns.map { .masterDown(host: "a", $0) }
    }
}

extension ToSupervisor: SampledMessage {
    static var all: Set<[UInt8]> {
        identities(1, Life.kinds).union(identities(2, Files.kinds)).union(identities(3, Audit.kinds))
            .union(identities(4, Forwards.kinds)).union(identities(5, Patterns.kinds))
    }

    static var samples: [ToSupervisor] {
        lifeSamples.map { .life($0) } + fileSamples.map { .files($0) } + auditSamples.map { .audit($0) }
            + forwardSamples.map { .forwards($0) } + [.patterns(.checked(mistakes: .max))]
            + extremeTexts.map { .patterns(.invalid(index: .max, reason: $0)) }
    }

    private static var lifeSamples: [Life] {
        [.clientGone, .clientUnheard, .clientSpeaks, .callWaited]
            + ["", "é", String(repeating: "x", count: Life.maximumName)].map { .clientNamed($0) }
            + [0, 1, 6, UInt8.max].map { .ready(landlockABI: $0) }
            + extremeTexts.map { .clientDropped(reason: $0) }
    }

    private static var fileSamples: [Files] {
        paths.map { .open(path: $0) } + paths.map { .create(path: $0) }
            + [0, UInt32.max].map { .commit(handle: $0, mode: 0o644) } + [0, UInt32.max].map { .abandon(handle: $0) }
    }

    private static var auditSamples: [Audit] {
        extremeTexts.map { .begin(AuditCall(tool: $0, host: $0, fields: [.init(.command, $0)])) }
            + [.begin(AuditCall(tool: "t", host: "", fields: [])), .begin(fullest)]
            + [nil, 0, -1, Int32.min].map {
                .end(AuditOutcome(rule: "base_dir", ending: .ok, exitCode: $0, bytesIn: 0, bytesOut: UInt64.max))
            }
    }

    private static var forwardSamples: [Forwards] {
        [
            .request(host: "box", target: .tcp(host: "::1", port: .max), localPort: 0x0102), .list,
            .request(host: "a", target: .tcp(host: "b", port: 1), localPort: 2, call: 0x0304_0506),
            .request(host: "a", target: .unix(path: "/run/s"), localPort: 2, call: 0x0304_0506),
            .cancel(forward: 1, localPort: 2, host: "a", call: .max),
            .cancel(forward: 0, localPort: 0x0102, host: ""), .cancel(forward: .max, localPort: 0, host: "é"),
        ]
    }
}
