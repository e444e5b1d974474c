import Foundation
import IPC
import Testing

@testable import Supervisor

@Suite("Permissions of workers")
struct PermissionTests {
    private typealias Phase = ConnectionTable.Phase

    /// The phases in which a worker is heard, by their names in the table.
    private static let phases: [(name: String, phases: [Phase])] = [
        ("starting", [.starting(.serve), .starting(.refuse(.noPlace)), .departing]),
        ("listening", [.listening]), ("serving", [.serving]), ("unheard", [.unheard]),
        ("waitingReady", [.waitingReady]), ("leaving", [.leaving]), ("refusing", [.refusing]),
        ("releasing", [.releasing]),
    ]

    private static let messages: [ToSupervisor] =
        ToSupervisor.Life.kinds.map { .life($0) } + ToSupervisor.Files.kinds.map { .files($0) }
        + ToSupervisor.Audit.kinds.map { .audit($0) } + ToSupervisor.Forwards.kinds.map { .forwards($0) }
        + ToSupervisor.Patterns.kinds.map { .patterns($0) }

    /// A case without its payload.
    private static func name(_ value: Any) -> String { Mirror(reflecting: value).children.first?.label ?? "\(value)" }

    private static func permission(_ message: ToSupervisor, in phase: Phase, flags: Bool) -> Permission {
        var entry = ConnectionTable.Entry(pid: 1, since: 0, phase: phase)
        entry.mayBeUnheard = flags
        entry.mayStillSayGone = flags
        entry.name = flags ? nil : "named"
        return Permission.of(message, from: entry)
    }

    private static func cell(_ message: ToSupervisor, _ phases: [Phase]) -> String {
        let words = phases.map { phase in
            switch (permission(message, in: phase, flags: true), permission(message, in: phase, flags: false)) {
            case (.granted, .granted): "yes"
            case (.granted, _): "once"
            case (.tooLate, _): "too late"
            case (.outOfTurn, _): "–"
            }
        }
        return Set(words).count == 1 ? words[0] : words.joined(separator: "/")
    }

    private static var table: String {
        let header = "| message | " + phases.map { "`\($0.name)`" }.joined(separator: " | ") + " |"
        let rows = messages.map { message in
            let inner = Mirror(reflecting: message).children.first.map { name($0.value) } ?? ""
            return "| `\(name(message)).\(inner)` | " + phases.map { cell(message, $0.phases) }.joined(separator: " | ")
                + " |"
        }
        let rule = "|---|" + String(repeating: "---|", count: phases.count)
        return ([header, rule] + rows).joined(separator: "\n")
    }

    @Test func `CONTRIBUTING has the table of what a worker may say in which phase`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("CONTRIBUTING.md"), encoding: .utf8)
        #expect(text.contains(Self.table), "The table is now:\n\(Self.table)")
    }

    @Test func `a worker whose client has not had the place gets nothing that needs it`() {
        for message in Self.messages {
            let needsPlace =
                switch message {
                case .files, .audit, .forwards: true
                case .life, .patterns: false
                }
            guard needsPlace else { continue }
            for phase in [
                .starting(.serve), .departing, .listening, .unheard, .waitingReady, .leaving, .refusing,
            ] as [Phase] {
                for flags in [true, false] {
                    #expect(Self.permission(message, in: phase, flags: flags) == .outOfTurn, "\(message) in \(phase)")
                }
            }
        }
    }

    @Test func `nobody without a worker, and no worker that checks patterns, is heard here`() {
        for phase in [.silent, .waiting, .toRefuse, .starting(.check)] as [Phase] {
            for message in Self.messages {
                #expect(Self.permission(message, in: phase, flags: true) == .outOfTurn)
            }
        }
    }
}
