import IPC
import Foundation

@testable import Policy
@testable import Tools

/// The cases of `PolicyCorpus.tsv`; its head says what the columns are.
enum PolicyCorpus {
    struct Case: Hashable, Sendable, CustomStringConvertible {
        enum Judge: String { case delete, allow, env }
        enum Verdict: String { case pass, refuse }

        let judge: Judge
        let verdict: Verdict
        let command: String
        let line: Int

        var description: String { "line \(line): \(judge) \(verdict): \(command.debugDescription)" }
    }

    /// Why the file cannot be read.
    struct Malformed: Error {
        let line: Int
        let text: String
    }

    static let entries = [
        "git ", "make test", "systemctl status ", "ls", "./run.sh ", "[ ", "RAILS_ENV=x GIT_DIR=y rake",
    ]

    static func cases() throws -> [Case] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "PolicyCorpus.tsv")
        let lines = try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        return try lines.enumerated().compactMap { index, line in
            if line.isEmpty || line.hasPrefix("#") { return nil }
            // By scalars: a mark that combines is no part of the tab or the backslash before it.
            let columns = line.unicodeScalars.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false)
            guard columns.count == 3, let judge = Case.Judge(rawValue: String(columns[0])),
                let verdict = Case.Verdict(rawValue: String(columns[1])), let command = unescaped(columns[2])
            else { throw Malformed(line: index + 1, text: String(line)) }
            return Case(judge: judge, verdict: verdict, command: command, line: index + 1)
        }
    }

    private static func unescaped(_ text: Substring.UnicodeScalarView) -> String? {
        var scalars = String.UnicodeScalarView()
        var rest = text
        while let next = rest.popFirst() {
            guard next == "\\" else {
                scalars.append(next)
                continue
            }
            switch rest.popFirst() {
            case "n": scalars.append("\n")
            case "t": scalars.append("\t")
            case "r": scalars.append("\r")
            case "\\": scalars.append("\\")
            case "x":
                guard let value = UInt8(String(rest.prefix(2)), radix: 16), value < 0x80 else { return nil }
                scalars.append(UnicodeScalar(value))
                rest = rest.dropFirst(2)
            default: return nil
            }
        }
        return String(scalars)
    }

    /// What a judge says: nil where the case passes.
    static func refusal(_ judge: Case.Judge, _ command: String) -> GateRefusal? {
        do throws(GateRefusal) {
            switch judge {
            case .delete: try DestructiveCommand.judge(command, allowed: false, host: "prod")
            case .allow: try ExecAllowlist(entries, host: "prod").judge(command: command, environment: [:])
            case .env: try ExecAllowlist(entries, host: "prod").judge(command: "git log", environment: [command: "x"])
            }
            return nil
        } catch {
            return error
        }
    }
}
