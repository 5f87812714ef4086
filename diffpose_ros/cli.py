"""The command `diffpose`; a subcommand is a module with add_arguments(parser) and run(args)."""

import argparse
from collections.abc import Sequence
from importlib import import_module
import logging
import sys

from diffpose_ros import __version__

COMMANDS = {
    ('demo',): ('diffpose_ros.ros.demo', 'play a video through the ROS graph'),
    ('video',): ('diffpose_ros.offline.video_job', 'draw the people of a video into it'),
    ('bag',): ('diffpose_ros.ros.bag_job', 'add skeletons and markers to a recording'),
    ('bags',): (
        'diffpose_ros.ros.fleet',
        'add skeletons and markers to all recordings of a folder',
    ),
    ('report',): ('diffpose_ros.ros.report_job', 'a recording as one HTML page'),
    ('evaluate', 'clip'): ('diffpose_ros.evaluate.clip', 'whole pipeline on a labelled video'),
    ('evaluate', 'images2d'): ('diffpose_ros.evaluate.images2d', '2D estimator on photographs'),
    ('evaluate', 'mocap'): ('diffpose_ros.evaluate.mocap', 'lifter on motion capture'),
    ('evaluate', 'h36m'): ('diffpose_ros.evaluate.h36m', 'lifter on Human3.6M'),
    ('evaluate', 'mpi-inf-3dhp'): (
        'diffpose_ros.evaluate.mpi_inf_3dhp',
        'lifter on the test set of MPI-INF-3DHP',
    ),
    ('evaluate', 'detector'): ('diffpose_ros.evaluate.detector', 'person detector on frames'),
    ('evaluate', 'posetrack'): ('diffpose_ros.evaluate.posetrack', 'by the rules of PoseTrack'),
    ('benchmark', 'pose2d'): (
        'diffpose_ros.evaluate.benchmark_pose2d',
        'time and floating-point operations of the 2D estimator',
    ),
    ('benchmark', 'lift3d'): (
        'diffpose_ros.evaluate.benchmark_lift3d',
        'time and floating-point operations of the lifter',
    ),
    ('benchmark', 'node'): (
        'diffpose_ros.ros.benchmark_node',
        'time of the node beside its networks',
    ),
    ('benchmark', 'graph'): (
        'diffpose_ros.ros.benchmark_graph',
        'frame rate, latency, CPU and memory of the whole node',
    ),
    ('benchmark', 'all'): (
        'diffpose_ros.evaluate.benchmark_all',
        'graph, pose2d, lift3d and node in one file',
    ),
    ('import',): ('diffpose_ros.train.released', 'read the published weights of Gong et al.'),
    ('train', 'video2d'): ('diffpose_ros.train.video2d', 'train the 2D estimator'),
    ('train', 'lift3d'): ('diffpose_ros.train.lift3d', 'train the lifter'),
    ('train', 'detector'): ('diffpose_ros.train.detector', 'train the person detector'),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; return 0, 2 with one line that says what is wrong, 130 interrupted."""
    words = tuple(sys.argv[1:] if argv is None else argv)
    command = next((c for c in COMMANDS if words[: len(c)] == c), None)
    if words == ('--version',):
        sys.stdout.write(f'diffpose {__version__}\n')
        return 0
    if command is None:
        return usage(words)
    logging.basicConfig(format='%(message)s')
    logging.getLogger('diffpose_ros').setLevel(logging.INFO)  # others speak of their own affairs
    parser = argparse.ArgumentParser(
        prog=' '.join(('diffpose', *command)),
        description=COMMANDS[command][1],
        formatter_class=Help,
    )
    try:
        module = import_module(COMMANDS[command][0])
        module.add_arguments(parser)
        return module.run(parser.parse_args(words[len(command) :]))
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f'{parser.prog}: {error}; install it, or source ROS if it is a ROS package\n'
        )
        return 2
    except (ValueError, OSError) as error:
        sys.stderr.write(f'{parser.prog}: {error}\n')
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f'{parser.prog}: interrupted\n')
        return 130


class Help(argparse.HelpFormatter):
    """Help that tells the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says = action.default not in (None, '', [], False, argparse.SUPPRESS)
        told = 'default' in (action.help or '')
        return f'{action.help} (default: %(default)s)' if says and not told else action.help


def usage(words: Sequence[str]) -> int:
    """Write the list of commands; asking for it is no error."""
    asked = words[-1:] in (('-h',), ('--help',))
    rows = [
        f'  diffpose {" ".join(command):22} {about}' for command, (_, about) in COMMANDS.items()
    ]
    unknown = [] if asked or not words else [f'diffpose: no command {called(words)!r}']
    lines = [
        *unknown,
        'usage: diffpose COMMAND [options], with -h after a command for its options',
        *rows,
    ]
    (sys.stdout if asked else sys.stderr).write('\n'.join(lines) + '\n')
    return 0 if asked else 2


def called(words: Sequence[str]) -> str:
    """Return those of the words that should have named a command."""
    in_group = any(words[0] == first and rest for first, *rest in COMMANDS)
    return ' '.join(words[: 2 if in_group else 1])


if __name__ == '__main__':
    sys.exit(main())
