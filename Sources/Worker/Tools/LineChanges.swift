internal import Threads

/// Finds which lines of one text were replaced by which lines of another, with the fewest removals and additions. This is the
/// greedy search of Myers ("An O(ND) Difference Algorithm and Its Variations", 1986), within bounds.
enum LineChanges {
    /// The lines `old` of one text are replaced by the lines `new` of the other. One of the two may be empty.
    struct Change: Equatable {
        var old: Range<Int>
        var new: Range<Int>
    }

    /// The most removals and additions together. The search keeps two bytes for each pair of them, 32 MiB at most.
    static let maximumChanges = 4_000
    /// The most comparisons of lines and other steps. They take some tenths of a second.
    private static let maximumSteps = 50_000_000

    /// The changes, in the order of the lines.
    /// - Returns: nil if the texts differ by more than the bounds allow, or if the call is cancelled.
    static func between(_ old: [Int32], _ new: [Int32], _ cancellation: Cancellation? = nil) -> [Change]? {
        // For each diagonal `k` (lines of `old` minus lines of `new`) this has how far into `old` the longest path on it goes.
        // The paths with `d` changes are on every second diagonal from -d to d, at the index `(k + d) / 2`.
        var rounds: [[Int32]] = []
        var steps = 0
        var furthest: [Int32] = []
        for changes in 0...min(maximumChanges, old.count + new.count) {
            if cancellation?.isCancelled == true { return nil }
            let before = furthest
            furthest = [Int32](repeating: 0, count: changes + 1)
            for index in 0...changes {
                let diagonal = 2 * index - changes
                var x = start(index, changes, before)
                let first = x
                var y = x - diagonal
                while x < old.count, y < new.count, old[x] == new[y] {
                    x += 1
                    y += 1
                }
                steps += x - first + 1
                furthest[index] = Int32(x)
                if x >= old.count, y >= new.count {
                    rounds.append(furthest)
                    return path(rounds, old.count, new.count)
                }
            }
            guard steps <= maximumSteps else { return nil }
            rounds.append(furthest)
        }
        return nil
    }

    /// Where the path on a diagonal begins in this round: one step from the longer path on a neighbour diagonal in the round
    /// before.
    private static func start(_ index: Int, _ changes: Int, _ before: [Int32]) -> Int {
        if changes == 0 { return 0 }
        // The step from the diagonal above is an addition, and that from the diagonal below is a removal.
        if isAddition(index, changes, before) { return Int(before[index]) }
        return Int(before[index - 1]) + 1
    }

    private static func isAddition(_ index: Int, _ changes: Int, _ before: [Int32]) -> Bool {
        index == 0 || (index != changes && before[index - 1] < before[index])
    }

    /// Collects the changes on the way back from the ends of both texts.
    private static func path(_ rounds: [[Int32]], _ oldCount: Int, _ newCount: Int) -> [Change] {
        var changes: [Change] = []
        var (x, y) = (oldCount, newCount)
        for round in stride(from: rounds.count - 1, to: 0, by: -1) {
            let index = (x - y + round) / 2
            let before = rounds[round - 1]
            let isAddition = isAddition(index, round, before)
            let from = isAddition ? index : index - 1
            let fromX = Int(before[from])
            let fromY = fromX - (2 * from - (round - 1))
            let change =
                isAddition
                ? Change(old: fromX..<fromX, new: fromY..<(fromY + 1))
                : Change(old: fromX..<(fromX + 1), new: fromY..<fromY)
            add(change, to: &changes)
            (x, y) = (fromX, fromY)
        }
        return changes.reversed()
    }

    /// Adds a change before those that were found. Changes that touch become one.
    private static func add(_ change: Change, to changes: inout [Change]) {
        if let last = changes.last, last.old.lowerBound == change.old.upperBound,
            last.new.lowerBound == change.new.upperBound
        {
            changes[changes.count - 1] = Change(
                old: change.old.lowerBound..<last.old.upperBound, new: change.new.lowerBound..<last.new.upperBound)
        } else {
            changes.append(change)
        }
    }
}
