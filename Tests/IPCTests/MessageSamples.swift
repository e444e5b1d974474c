@testable import IPC

/// A message type whose every case has samples. A new case does not compile until `kind(of:)` knows it, and does not
/// pass until it has a sample.
protocol SampledMessage: IPCMessage {
    associatedtype Kind: CaseIterable, Hashable
    static var samples: [Self] { get }
    var kind: Kind { get }
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

extension ToWorker: SampledMessage {
    enum Kind: CaseIterable {
        case setupServe, setupRefuse, setupCheck, drain, policy, localOpened, localCreated, localCommitted, localRefused
        case auditBegun, proceed, refuseClient
        case setupReap, forwardAssigned, forwardRunning, forwardRefused, forwards, closeForward, forwardClosed
    }

    static var samples: [ToWorker] {
        [.setup(.serve), .setup(.check), .policy, .proceed]
            + [0, 1, 0x0102_0304, UInt32.max].map { .drain(milliseconds: $0) }
            + extremeTexts.flatMap { [.setup(.refuse(reason: $0)), .refuseClient(reason: $0)] } + [.localCommitted]
            + [0, 1, UInt64.max].map { .localOpened(size: $0) } + [0, UInt32.max].map { .localCreated(handle: $0) }
            + extremeTexts.map { .localRefused(rule: "local_roots", reason: $0) } + [.auditBegun] + forwardSamples
    }

    private static var forwardSamples: [ToWorker] {
        let entry = ForwardEntry(
            forward: .max, host: "box", localPort: 1, remoteHost: "::1", remotePort: .max, since: .max, reason: "é")
        let route = ForwardRoute(
            socket: "/s", user: "u", address: "h", localPort: 0x0102, remoteHost: "db.internal", remotePort: 0x0304)
        return [
            .setup(.reap), .forwardAssigned(forward: 1, localPort: .max), .forwards([]), .forwards([entry, entry]),
            .forwards(Array(repeating: entry, count: 64)),
            .forwardRunning(forward: 0x0102_0304, localPort: 5, since: .max), .forwardClosed(entry),
            .closeForward(forward: 7, route: route),
        ] + extremeTexts.map { .forwardRefused(reason: $0) }
    }

    var kind: Kind {
        switch self {
        case .setup(.serve): .setupServe
        case .setup(.refuse): .setupRefuse
        case .setup(.check): .setupCheck
        case .drain: .drain
        case .policy: .policy
        case .proceed: .proceed
        case .refuseClient: .refuseClient
        case .localOpened: .localOpened
        case .localCreated: .localCreated
        case .localCommitted: .localCommitted
        case .localRefused: .localRefused
        case .auditBegun: .auditBegun
        case .setup(.reap): .setupReap
        case .forwardAssigned: .forwardAssigned
        case .forwardRunning: .forwardRunning
        case .forwardRefused: .forwardRefused
        case .forwards: .forwards
        case .closeForward: .closeForward
        case .forwardClosed: .forwardClosed
        }
    }
}

extension ToSupervisor: SampledMessage {
    enum Kind: CaseIterable {
        case ready, clientGone, clientDropped, openLocal, createLocal, commitLocal, abandonLocal, auditBegin, auditEnd
        case requestForward, forwardEstablished, forwardFailed, listForwards, cancelForward, forwardCancelled
        case patternInvalid, patternsChecked, clientUnheard, clientSpeaks
    }

    static var samples: [ToSupervisor] {
        [.clientGone, .clientUnheard, .clientSpeaks, .patternsChecked(mistakes: .max)]
            + [0, 1, 6, UInt8.max].map { .ready(landlockABI: $0) }
            + extremeTexts.map { .clientDropped(reason: $0) } + extremeTexts.map { .openLocal(path: $0) }
            + extremeTexts.map { .createLocal(path: $0) } + [0, UInt32.max].map { .commitLocal(handle: $0) }
            + [0, UInt32.max].map { .abandonLocal(handle: $0) }
            + extremeTexts.map { .patternInvalid(index: .max, reason: $0) }
            + extremeTexts.map { .auditBegin(AuditCall(tool: $0, host: $0, fields: [.init(.command, $0)])) }
            + [.auditBegin(AuditCall(tool: "t", host: "", fields: [])), .auditBegin(fullest)]
            + [nil, 0, -1, Int32.min].map {
                .auditEnd(AuditOutcome(rule: "base_dir", ending: .ok, exitCode: $0, bytesIn: 0, bytesOut: UInt64.max))
            }
            + forwardSamples
    }

    private static var forwardSamples: [ToSupervisor] {
        [
            .requestForward(host: "box", remoteHost: "::1", remotePort: .max, localPort: 0x0102), .listForwards,
            .forwardEstablished(forward: 0x0102_0304, masterPID: .max),
            .cancelForward(forward: 0, localPort: 0x0102, host: ""),
            .cancelForward(forward: .max, localPort: 0, host: "é"),
        ] + ForwardFailure.allCases.map { .forwardFailed(forward: 1, $0) }
            + extremeTexts.map { .forwardCancelled(forward: 9, said: $0) }
    }

    var kind: Kind {
        switch self {
        case .ready: .ready
        case .clientGone: .clientGone
        case .clientUnheard: .clientUnheard
        case .clientSpeaks: .clientSpeaks
        case .clientDropped: .clientDropped
        case .openLocal: .openLocal
        case .createLocal: .createLocal
        case .commitLocal: .commitLocal
        case .abandonLocal: .abandonLocal
        case .patternInvalid: .patternInvalid
        case .patternsChecked: .patternsChecked
        case .auditBegin: .auditBegin
        case .auditEnd: .auditEnd
        case .requestForward: .requestForward
        case .forwardEstablished: .forwardEstablished
        case .forwardFailed: .forwardFailed
        case .listForwards: .listForwards
        case .cancelForward: .cancelForward
        case .forwardCancelled: .forwardCancelled
        }
    }
}
