import TestSupport
import Testing

@testable import Mux

extension MuxReply {
    /// One of each.
    static let samples: [MuxReply] = [
        .hello(version: 4), .ok(request: 1), .permissionDenied(request: 1, reason: "Permission denied"),
        .failure(request: 1, reason: "Session open refused by peer"), .exitMessage(session: 2, status: 3),
        .alive(request: 1, masterPID: 4711), .sessionOpened(request: 1, session: 2),
        .remotePort(request: 1, port: 50_000), .ttyAllocFail(session: 2),
        .extendedInfo(request: 1, status: 1, text: "channels"),
    ]

    /// Any of them, with any values.
    static func random(using generator: inout SeededGenerator) -> MuxReply {
        let first = UInt32.random(in: 0...UInt32.max, using: &generator)
        let second = UInt32.random(in: 0...UInt32.max, using: &generator)
        let text = String.random(using: &generator)
        switch ReplyType.allCases.randomElement(using: &generator) ?? .ok {
        case .hello: return .hello(version: first)
        case .ok: return .ok(request: first)
        case .permissionDenied: return .permissionDenied(request: first, reason: text)
        case .failure: return .failure(request: first, reason: text)
        case .exitMessage: return .exitMessage(session: first, status: second)
        case .alive: return .alive(request: first, masterPID: second)
        case .sessionOpened: return .sessionOpened(request: first, session: second)
        case .remotePort: return .remotePort(request: first, port: second)
        case .ttyAllocFail: return .ttyAllocFail(session: first)
        case .extendedInfo: return .extendedInfo(request: first, status: second, text: text)
        }
    }
}

extension String {
    /// Up to 100 scalars of one to four bytes, none of them zero.
    static func random(using generator: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...100, using: &generator) {
            let bound: UInt32 = [0x7F, 0x7FF, 0xD7FF, 0x10_FFFF].randomElement(using: &generator) ?? 0x7F
            if let scalar = Unicode.Scalar(UInt32.random(in: 1...bound, using: &generator)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension [UInt8] {
    /// Big-endian fields, for messages that no type here can express.
    static func fields(_ numbers: UInt32...) -> [UInt8] {
        numbers.flatMap { number in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }
    }

    /// A text with its length.
    static func text(_ text: String) -> [UInt8] { fields(UInt32(text.utf8.count)) + Array(text.utf8) }

    /// The same with its length in front: a message.
    var framed: [UInt8] { .fields(UInt32(count)) + self }
}

/// A session that must be possible.
func session(_ command: String, isSubsystem: Bool = false) throws -> MuxSession {
    try #require(MuxSession(command: command, isSubsystem: isSubsystem))
}

extension MuxReply {
    /// The violation that a message is; nil where it is none.
    static func violation(in message: ArraySlice<UInt8>) -> MuxViolation? {
        do throws(MuxViolation) {
            _ = try decode(message)
            return nil
        } catch {
            return error
        }
    }
}

extension SSHRequest {
    /// The violation that a message is; nil where it is none.
    static func violation(in message: ArraySlice<UInt8>) -> MuxViolation? {
        do throws(MuxViolation) {
            _ = try decode(message)
            return nil
        } catch {
            return error
        }
    }
}
