"""The Traffic Junction once more, written from its rules without arrays: one world, plain loops, to compare with."""

from marl_lessons.envs.cars.junction_roads import LEVELS, network

OUTSIDE = {"easy": 12, "medium": 56, "hard": 144}  # the class of cells without road
# Columns by road: where the first cell of each road has its number, its columns, and how many lanes it has.
COLUMNS = {"easy": [(7, (3,))], "medium": [(28, (6, 7))], "hard": [(72, (4, 5)), (108, (12, 13))]}
ROWS = {"easy": (3,), "medium": (6, 7), "hard": (4, 5, 12, 13)}


def class_of(level, row, column):
    """The class of a cell as the original numbers it; cells beyond the edge are outside."""
    size = LEVELS[level].size
    if not (0 <= row < size and 0 <= column < size):
        return OUTSIDE[level]
    for first, columns in COLUMNS[level]:
        if column in columns:
            return first + row * len(columns) + columns.index(column)
    if row in ROWS[level]:
        return ROWS[level].index(row) * size + column
    return OUTSIDE[level]


class PlainJunction:
    """One world; a car is a dictionary with its route, the position on it, and the steps since it arrived."""

    def __init__(self, level, vision, rate):
        self.level, self.vision, self.rate = level, vision, rate
        self.routes = network(LEVELS[level]).routes
        self.n_entries = len(LEVELS[level].entries)
        self.n_slots = LEVELS[level].max_cars
        self.reset()

    def reset(self):
        self.cars = [None] * self.n_slots
        self.last_action = [0] * self.n_slots
        self.failed = False

    def step(self, actions, numbers):
        """Rewards and who has left; ``numbers[3][R]`` decide about arrivals, slots and routes."""
        left = [False] * self.n_slots
        for slot, car in enumerate(self.cars):
            if car is None:
                continue
            car["waited"] += 1
            if actions[slot] == 0:
                car["progress"] += 1
            if car["progress"] == len(self.routes[car["route"]]):
                self.cars[slot], left[slot] = None, True
            else:
                self.last_action[slot] = actions[slot]
        for entry in range(self.n_entries):
            free = [slot for slot, car in enumerate(self.cars) if car is None]
            if free and numbers[0][entry] < self.rate:
                slot = free[int(numbers[1][entry] * len(free))]
                ways = len(self.routes) // self.n_entries
                route = entry * ways + int(numbers[2][entry] * ways)
                self.cars[slot] = {"route": route, "progress": 0, "waited": 0}
        rewards = []
        for slot, car in enumerate(self.cars):
            hit = car is not None and self.cars_in(self.cell(slot)) > 1
            self.failed = self.failed or hit
            rewards.append(0.0 if car is None else -0.01 * car["waited"] - (10.0 if hit else 0.0))
        return rewards, left

    def cell(self, slot):
        car = self.cars[slot]
        return self.routes[car["route"]][car["progress"]]

    def cars_in(self, cell):
        return sum(
            car is not None and self.cell(slot) == cell for slot, car in enumerate(self.cars)
        )

    def observation(self, slot):
        n_classes = OUTSIDE[self.level] + 3
        sight = range(-self.vision, self.vision + 1)
        if self.cars[slot] is None:
            return [0.0] * (2 + len(sight) ** 2 * n_classes)
        seen = [self.last_action[slot], self.cars[slot]["route"] / (len(self.routes) - 1)]
        row, column = self.cell(slot)
        for down in sight:
            for right in sight:
                cell = (row + down, column + right)
                entries = [0.0] * n_classes
                entries[class_of(self.level, *cell)] = 1.0
                entries[-1] = float(self.cars_in(cell))
                seen += entries
        return seen
