import TestSupport
import Testing

@testable import IPC

/// A compromised worker sends what it likes: whatever arrives must be decoded exactly or refused, and never trap.
@Suite("IPC decoder against random bytes")
struct DecoderRandomBytesTests {
    /// What became of the frames of one run.
    private struct Tally {
        var frames = 0
        var decoded = 0
        var different = 0
    }

    /// Frames a run and direction. 4 runs × 2 directions: 1,000,000 frames in all.
    private static let framesPerRun = 125_000

    /// A quarter each: noise, noise behind a good header, a good packet with one byte changed, a good packet cut or
    /// lengthened. Frames are slices of one pool and not built byte by byte, so that a million take seconds in debug.
    private func run<Message: SampledMessage>(_: Message.Type, seed: UInt64) -> Tally {
        var generator = SeededGenerator(seed: seed)
        let valid = Message.samples.compactMap { try? $0.encoded(requestID: 0x0506_0708) }.filter { $0.count < 200 }
        // Small numbers are the likelier versions, tags, roles and lengths.
        var pool = (0..<65_536).map { _ in
            let noise = generator.next()
            return noise >> 62 == 0 ? UInt8(noise & 0xFF) : UInt8(noise & 3)
        }
        var tally = Tally()
        func decode(_ frame: ArraySlice<UInt8>) {
            guard let back = try? Message.decode(frame) else { return }
            tally.decoded += 1
            if (try? back.message.encoded(requestID: back.requestID))?[...] != frame { tally.different += 1 }
        }
        while tally.frames < Self.framesPerRun {
            let noise = generator.next()
            let start = Int(noise & 0x7FFF)
            let length = Int(noise >> 16 & 31)
            switch tally.frames & 3 {
            case 0:
                decode(pool[start..<(start + length)])
            case 1:
                pool[start] = Frame.version
                for offset in 1...3 { pool[start + offset] = 0 }
                pool[start + 8] = UInt8(noise >> 24 & 7)
                pool[start + 9] = UInt8(noise >> 27 & 7)
                decode(pool[start..<(start + 10 + length)])
            case 2:
                var frame = valid[Int(noise >> 24 & 0xFFFF) % valid.count]
                frame[start % frame.count] = noise >> 63 == 0 ? UInt8(noise >> 40 & 0xFF) : UInt8(noise >> 40 & 3)
                decode(frame[...])
            default:
                let frame = valid[Int(noise >> 24 & 0xFFFF) % valid.count]
                decode(
                    noise >> 63 == 0
                        ? frame[...] : noise >> 62 & 1 == 0 ? frame.dropLast(length % frame.count) : (frame + [0])[...])
            }
            tally.frames += 1
        }
        return tally
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `no frame traps, and what decodes encodes to the same bytes`(seed: UInt64) {
        for tally in [
            run(ToWorker.self, seed: seed), run(ToSupervisor.self, seed: seed &+ 1000),
            run(ToFileBroker.self, seed: seed &+ 2000), run(FromFileBroker.self, seed: seed &+ 3000),
            run(FileAnswer.self, seed: seed &+ 4000), run(ToGate.self, seed: seed &+ 5000),
            run(FromGate.self, seed: seed &+ 6000), run(GateRequest.self, seed: seed &+ 7000),
            run(GateAnswer.self, seed: seed &+ 8000),
        ] {
            #expect(tally.frames == Self.framesPerRun)
            #expect(tally.different == 0)
            // Both outcomes are common, or the frames would test nothing.
            #expect(tally.decoded > Self.framesPerRun / 20)
            #expect(tally.decoded < Self.framesPerRun * 19 / 20)
        }
    }

    @Test func `large frames of noise do not trap either`() {
        var generator = SeededGenerator(seed: 99)
        var frame = [UInt8](repeating: 0, count: Frame.maximumSize + 2)
        frame[0] = Frame.version
        for round in 0..<200 {
            for _ in 0..<64 {
                frame[Int(generator.next() % UInt64(frame.count - 16)) + 16] = UInt8(
                    truncatingIfNeeded: generator.next())
            }
            frame[8] = UInt8(round & 7)
            frame[9] = UInt8(round >> 3 & 7)
            let length = UInt32(truncatingIfNeeded: generator.next() % 70_000)
            for index in 0..<4 { frame[10 + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index))) }
            let cut = frame[..<(frame.count - Int(generator.next() % 3))]
            if let back = try? ToSupervisor.decode(cut) {
                #expect((try? back.message.encoded(requestID: back.requestID))?[...] == cut)
            }
            if let back = try? ToWorker.decode(cut) {
                #expect((try? back.message.encoded(requestID: back.requestID))?[...] == cut)
            }
        }
    }
}
