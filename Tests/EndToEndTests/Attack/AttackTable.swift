import Foundation
import Glibc
import Testing

/// What was tried, what must come of it, and what was seen. It is printed when it is whole, and fails for each row in which the last
/// two differ.
final class AttackTable {
    private struct Row {
        let attempt: String
        let expected: String
        let seen: String
    }

    private let title: String
    private var rows: [Row] = []

    init(_ title: String) {
        self.title = title
    }

    func row(_ attempt: String, _ expected: String, _ attack: () throws -> String) {
        let seen: String
        do { seen = try attack() } catch { seen = "failed: \(error)" }
        rows.append(Row(attempt: attempt, expected: expected, seen: seen))
    }

    /// Prints the table and says which rows are not as they must be.
    func finish(_ sourceLocation: SourceLocation = #_sourceLocation) {
        let head = "| attempt | expected | seen |\n|---|---|---|\n"
        let lines = rows.map { row in
            let seen = row.seen == row.expected ? "as expected" : "NOT: \(row.seen)"
            return "| \(row.attempt) | \(row.expected) | \(seen) |\n"
        }
        let table = Data("\n### \(title)\n\n\(head)\(lines.joined())\n".utf8)
        FileHandle.standardOutput.write(table)
        for row in rows where row.seen != row.expected {
            Issue.record(
                "\(title): \(row.attempt): expected \(row.expected); seen \(row.seen)", sourceLocation: sourceLocation)
        }
    }
}
