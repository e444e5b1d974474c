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
        case setupServe, setupRefuse, drain, policy, localOpened, localCreated, localCommitted, localRefused, auditBegun
    }

    static var samples: [ToWorker] {
        [.setup(.serve), .policy] + [0, 1, 0x0102_0304, UInt32.max].map { .drain(milliseconds: $0) }
            + extremeTexts.map { .setup(.refuse(reason: $0)) } + [.localCommitted]
            + [0, 1, UInt64.max].map { .localOpened(size: $0) } + [0, UInt32.max].map { .localCreated(handle: $0) }
            + extremeTexts.map { .localRefused(rule: "local_roots", reason: $0) } + [.auditBegun]
    }

    var kind: Kind {
        switch self {
        case .setup(.serve): .setupServe
        case .setup(.refuse): .setupRefuse
        case .drain: .drain
        case .policy: .policy
        case .localOpened: .localOpened
        case .localCreated: .localCreated
        case .localCommitted: .localCommitted
        case .localRefused: .localRefused
        case .auditBegun: .auditBegun
        }
    }
}

extension ToSupervisor: SampledMessage {
    enum Kind: CaseIterable {
        case ready, clientGone, clientDropped, openLocal, createLocal, commitLocal, abandonLocal, auditBegin, auditEnd
    }

    static var samples: [ToSupervisor] {
        [.clientGone] + [0, 1, 6, UInt8.max].map { .ready(landlockABI: $0) }
            + extremeTexts.map { .clientDropped(reason: $0) } + extremeTexts.map { .openLocal(path: $0) }
            + extremeTexts.map { .createLocal(path: $0) } + [0, UInt32.max].map { .commitLocal(handle: $0) }
            + [0, UInt32.max].map { .abandonLocal(handle: $0) }
            + extremeTexts.map { .auditBegin(AuditCall(tool: $0, host: $0, fields: [.init(.command, $0)])) }
            + [.auditBegin(AuditCall(tool: "t", host: "", fields: [])), .auditBegin(fullest)]
            + [nil, 0, -1, Int32.min].map {
                .auditEnd(AuditOutcome(rule: "base_dir", ending: .ok, exitCode: $0, bytesIn: 0, bytesOut: UInt64.max))
            }
    }

    var kind: Kind {
        switch self {
        case .ready: .ready
        case .clientGone: .clientGone
        case .clientDropped: .clientDropped
        case .openLocal: .openLocal
        case .createLocal: .createLocal
        case .commitLocal: .commitLocal
        case .abandonLocal: .abandonLocal
        case .auditBegin: .auditBegin
        case .auditEnd: .auditEnd
        }
    }
}
