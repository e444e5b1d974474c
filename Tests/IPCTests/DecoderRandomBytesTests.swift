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

    /// A third of pure noise, a third with a good header and noise behind it, a third of mutated good packets.
    private func run<Message: SampledMessage>(_: Message.Type, seed: UInt64) -> Tally {
        var generator = SeededGenerator(seed: seed)
        let valid = Message.samples.map { $0.encoded(requestID: 0x0506_0708) }.filter { $0.count < 200 }
        var tally = Tally()
        var frame: [UInt8] = []
        frame.reserveCapacity(256)
        while tally.frames < Self.framesPerRun {
            var noise = generator.next()
            frame.removeAll(keepingCapacity: true)
            switch noise & 3 {
            case 0: break
            case 1: frame += [Frame.version, UInt8(noise >> 8 & 3), 0, 0, 1, 0, 0, 0]
            default:
                frame += valid[Int(noise >> 8 & 0xFFFF) % valid.count]
                let place = Int(noise >> 24 & 0xFF) % frame.count
                switch noise >> 32 & 3 {
                case 0: frame[place] = UInt8(noise >> 40 & 0xFF)
                case 1: frame[place] ^= 1 << UInt8(noise >> 40 & 7)
                case 2: frame.removeLast(place)
                default: break
                }
            }
            if noise & 2 == 0 || noise >> 60 == 0 {
                let count = Int(noise >> 48 & 15)
                for _ in 0..<count {
                    noise = noise &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    // Small numbers are the likelier lengths and roles.
                    frame.append(noise >> 62 == 0 ? UInt8(noise >> 40 & 0xFF) : UInt8(noise >> 40 & 3))
                }
            }
            tally.frames += 1
            guard let back = try? Message.decode(frame[...]) else { continue }
            tally.decoded += 1
            if back.message.encoded(requestID: back.requestID) != frame { tally.different += 1 }
        }
        return tally
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `no frame traps, and what decodes encodes to the same bytes`(seed: UInt64) async {
        async let toWorker = run(ToWorker.self, seed: seed)
        async let toSupervisor = run(ToSupervisor.self, seed: seed &+ 1000)
        for tally in await [toWorker, toSupervisor] {
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
            for _ in 0..<64 { frame[Int(generator.next() % UInt64(frame.count - 16)) + 16] = UInt8(truncatingIfNeeded: generator.next()) }
            frame[1] = UInt8(round & 3)
            let length = UInt32(truncatingIfNeeded: generator.next() % 70_000)
            for index in 0..<4 { frame[8 + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index))) }
            let cut = frame[..<(frame.count - Int(generator.next() % 3))]
            if let back = try? ToSupervisor.decode(cut) {
                #expect(back.message.encoded(requestID: back.requestID)[...] == cut)
            }
            if let back = try? ToWorker.decode(cut) {
                #expect(back.message.encoded(requestID: back.requestID)[...] == cut)
            }
        }
    }
}
