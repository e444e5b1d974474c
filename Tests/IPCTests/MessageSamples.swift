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

extension ToWorker: SampledMessage {
    enum Kind: CaseIterable { case setupServe, setupRefuse, drain, policy }

    static var samples: [ToWorker] {
        [.setup(.serve), .policy] + [0, 1, 0x0102_0304, UInt32.max].map { .drain(milliseconds: $0) }
            + extremeTexts.map { .setup(.refuse(reason: $0)) }
    }

    var kind: Kind {
        switch self {
        case .setup(.serve): .setupServe
        case .setup(.refuse): .setupRefuse
        case .drain: .drain
        case .policy: .policy
        }
    }
}

extension ToSupervisor: SampledMessage {
    enum Kind: CaseIterable { case ready, clientGone, clientDropped }

    static var samples: [ToSupervisor] {
        [.clientGone] + [0, 1, 6, UInt8.max].map { .ready(landlockABI: $0) }
            + extremeTexts.map { .clientDropped(reason: $0) }
    }

    var kind: Kind {
        switch self {
        case .ready: .ready
        case .clientGone: .clientGone
        case .clientDropped: .clientDropped
        }
    }
}
